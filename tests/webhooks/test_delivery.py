"""What follows from the answer of a receiver, and how long a webhook is tried."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from standardwebhooks.webhooks import Webhook

from dequeuer.core import clock
from dequeuer.core.events import WebhookAttempted, WebhookEnded
from dequeuer.core.message import Done, Outcome, Reject, Retry
from dequeuer.formats.receiver_rules import InvalidReceiverError
from dequeuer.formats.webhook_event import WebhookEvent
from dequeuer.webhooks.sending import Answer, DeliveryFailedError
from tests.fakes import OpenFence
from tests.webhooks.stage import DAY_S, KEY, ScriptedSender, Stage, make_event, message_of

pytestmark = pytest.mark.looptime

EPOCH = 1_800_000_000.0


@pytest.fixture(autouse=True)
def virtual_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clocks of the code follow the time of the loop."""

    def now() -> float:
        try:
            return EPOCH + asyncio.get_running_loop().time()
        except RuntimeError:
            return EPOCH

    monkeypatch.setattr(clock, "wall", now)
    monkeypatch.setattr(clock, "monotonic", now)


def answer(status: int, retry_after: str | None = None) -> Answer:
    return Answer(status=status, retry_after=retry_after)


def scripted(*answers: Answer | Exception) -> Stage:
    return Stage(sender=ScriptedSender(list(answers)))


async def deliver(stage: Stage, event: WebhookEvent | None = None, receive_count: int = 1) -> Outcome:
    return await stage.handler().handle(message_of(event or make_event(), receive_count), OpenFence())


def ends(stage: Stage) -> list[str]:
    return [event.end for event in stage.seen.of(WebhookEnded)]


async def drive(stage: Stage, event: WebhookEvent) -> Outcome:
    """Deliver as the queue does: each receive by another process, until the message is settled for good."""
    receives = 0
    while True:
        receives += 1
        outcome = await stage.handler().handle(message_of(event, receives), OpenFence())
        if not isinstance(outcome, Retry):
            return outcome
        assert 0 < outcome.after_s <= 12 * 3600
        await asyncio.sleep(outcome.after_s)


async def test_a_webhook_is_signed_and_delivered_once() -> None:
    stage = Stage()
    outcome = await deliver(stage)
    assert outcome == Done(state="completed")
    [sent] = stage.sender.sent
    assert sent.fields["Content-Type"] == "application/json"
    assert sent.fields["webhook-timestamp"] == str(int(EPOCH))
    # The package has no clock that could be set: the signature alone is compared.
    key = Webhook(KEY)
    signature = key.sign(sent.fields["webhook-id"], clock_of(sent.fields["webhook-timestamp"]), sent.body.decode())
    assert sent.fields["webhook-signature"] == signature
    assert json.loads(sent.body)["data"] == {"id": "r1", "api_name": "api", "status": "completed"}
    assert ends(stage) == ["delivered"]


def clock_of(text: str) -> datetime:
    return datetime.fromtimestamp(int(text), UTC)


async def test_without_keys_there_is_no_signature() -> None:
    stage = Stage(keys=())
    await deliver(stage)
    assert "webhook-signature" not in stage.sender.sent[0].fields


@pytest.mark.parametrize(
    ("given", "result"),
    [
        (answer(500), "refused"),
        (answer(404), "refused"),
        (answer(302), "refused"),
        (answer(100), "refused"),
        (DeliveryFailedError("no answer within 15 s"), "no_answer"),
        (InvalidReceiverError("leads to an address that is loopback"), "not_allowed"),
    ],
)
async def test_anything_but_2xx_is_tried_again(given: Answer | Exception, result: str) -> None:
    stage = scripted(given)
    outcome = await deliver(stage)
    assert isinstance(outcome, Retry)
    assert 5 <= outcome.after_s <= 5.5
    assert [event.result for event in stage.seen.of(WebhookAttempted)] == [result]
    assert ends(stage) == []


async def test_a_redirect_is_named_as_one() -> None:
    outcome = await deliver(scripted(answer(307)))
    assert isinstance(outcome, Retry)
    assert outcome.reason == "the receiver has answered 307: redirects are not followed"


async def test_a_receiver_that_asks_for_time_gets_it() -> None:
    outcome = await deliver(scripted(answer(429, "120")))
    assert isinstance(outcome, Retry)
    assert outcome.after_s == 120


async def test_a_receiver_that_is_down_for_an_hour_gets_its_webhook() -> None:
    stage = Stage(sender=ScriptedSender([DeliveryFailedError("down")]))
    began = asyncio.get_running_loop().time()
    asyncio.get_running_loop().call_later(3600, lambda: stage.sender.answers.__setitem__(0, answer(200)))
    outcome = await drive(stage, make_event())
    assert outcome == Done(state="completed")
    ids = {sent.fields["webhook-id"] for sent in stage.sender.sent}
    assert len(ids) == 1
    assert len(stage.sender.sent) == 5
    assert asyncio.get_running_loop().time() - began < 4 * 3600


async def test_a_receiver_that_is_down_for_days_is_given_up_with_one_line() -> None:
    stage = scripted(answer(503))
    event = make_event()
    outcome = await drive(stage, event)
    assert isinstance(outcome, Done)
    assert outcome.state == "failed"
    assert ends(stage) == ["given_up"]
    assert stage.seen.of(WebhookEnded)[0].age_s == pytest.approx(3 * DAY_S, abs=10)
    assert len(stage.sender.sent) <= 13


async def test_a_webhook_that_is_too_old_is_tried_once_before_it_is_given_up() -> None:
    stage = scripted(answer(503))
    await deliver(stage, make_event(age_s=10 * DAY_S))
    assert len(stage.sender.sent) == 1
    assert ends(stage) == ["given_up"]


async def test_410_disables_the_receiver_for_later_webhooks_too() -> None:
    stage = scripted(answer(410))
    assert isinstance(await deliver(stage), Done)
    assert isinstance(await deliver(stage, make_event("r2")), Done)
    assert len(stage.sender.sent) == 1
    assert ends(stage) == ["disabled", "disabled"]


async def test_410_that_cannot_be_recorded_is_tried_again() -> None:
    stage = scripted(answer(410))
    stage.store.refuse("put")
    assert isinstance(await deliver(stage), Retry)
    assert ends(stage) == []


@pytest.mark.parametrize("url", ["http://example.com/", "https://127.0.0.1/", "https://2130706433/", "nonsense"])
async def test_a_url_that_is_not_allowed_is_never_called(url: str) -> None:
    stage = Stage()
    outcome = await deliver(stage, make_event(url=url))
    assert isinstance(outcome, Done)
    assert outcome.state == "failed"
    assert stage.sender.sent == []
    assert ends(stage) == ["not_allowed"]


async def test_a_message_that_is_no_webhook_is_poison() -> None:
    stage = Stage()
    message = replace(message_of(make_event()), body="{}")
    outcome = await stage.handler().handle(message, OpenFence())
    assert isinstance(outcome, Reject)
    assert outcome.poison
    assert stage.handler().ref(message) == ""
    assert stage.handler().ref(message_of(make_event("r7"))) == "r7"


async def test_a_host_that_hangs_does_not_hold_up_the_others() -> None:
    stage = Stage(sender=ScriptedSender(takes_s=60))
    handler = stage.handler()
    hanging = [
        asyncio.create_task(handler.handle(message_of(make_event(f"r{number}")), OpenFence())) for number in range(10)
    ]
    await asyncio.sleep(1)
    released = [task.result() for task in hanging if task.done()]
    assert len(released) == 8
    assert all(isinstance(outcome, Retry) for outcome in released)
    stage.sender.takes_s = 0.0
    other = await handler.handle(message_of(make_event(url="https://other.example/")), OpenFence())
    assert other == Done(state="completed")
    assert all(outcome == Done(state="completed") for outcome in (await asyncio.gather(*hanging))[:2])


async def test_a_cancelled_delivery_frees_its_turn() -> None:
    stage = Stage(sender=ScriptedSender(takes_s=60), per_host=1)
    handler = stage.handler()
    task = asyncio.create_task(handler.handle(message_of(make_event()), OpenFence()))
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    stage.sender.takes_s = 0.0
    assert await handler.handle(message_of(make_event()), OpenFence()) == Done(state="completed")
