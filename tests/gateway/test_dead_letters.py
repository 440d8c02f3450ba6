"""Dead letters are looked at and moved back: in what order, within which bounds, and what a failure leaves."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress

import pytest

from dequeuer.core import clock
from dequeuer.core.errors import DequeuerError, SourceDeniedError, SourceGoneError, SourceUnavailableError
from dequeuer.core.message import REPEAT_ATTRIBUTE
from dequeuer.formats.envelope import Envelope, encode_envelope
from dequeuer.gateway import dead_letters
from dequeuer.gateway.dead_letters import HIDDEN_S, MAX_LOOK_RECEIVES, DeadLetterQueues
from dequeuer.gateway.problems import ProblemError
from tests.gateway.dead_letters import FakeSqs, translate

pytestmark = [pytest.mark.looptime, pytest.mark.usefixtures("no_pauses")]

INLINE = encode_envelope(Envelope(request_id="id2", headers=b"{}", content_type=None, payload=b"secret"))


@pytest.fixture
def sqs() -> FakeSqs:
    return FakeSqs()


@pytest.fixture
def queues(sqs: FakeSqs) -> DeadLetterQueues:
    return DeadLetterQueues(sqs, translate)


async def test_a_look_shows_what_a_message_names_and_leaves_it_visible(sqs: FakeSqs, queues: DeadLetterQueues) -> None:
    for body in ("id1", INLINE, "no id!"):
        sqs.bury(body)
    looked = await queues.look(sqs.queue, 20)
    assert (looked.queue, looked.total) == ("the-dead", 3)
    assert [(one.message_id, one.request_id, one.sent_at, one.receives) for one in looked.found] == [
        ("m1", "id1", 1620043200.75, 6),
        ("m2", "id2", 1620043200.75, 6),
        ("m3", "", 1620043200.75, 6),
    ]
    assert sqs.visible(sqs.dead) == ["id1", INLINE, "no id!"]
    assert "secret" not in str(looked)


@pytest.mark.parametrize(("buried", "limit"), [(5, 3), (50, 20), (300, 100), (0, 20)])
async def test_a_look_is_bounded(sqs: FakeSqs, queues: DeadLetterQueues, buried: int, limit: int) -> None:
    for number in range(buried):
        sqs.bury(f"id{number}")
    looked = await queues.look(sqs.queue, limit)
    assert len(looked.found) == min(buried, limit)
    assert sqs.calls.count("receive_message") <= limit // 10 + 1
    assert len(sqs.visible(sqs.dead)) == buried


async def test_messages_of_another_api_are_neither_shown_nor_moved(sqs: FakeSqs, queues: DeadLetterQueues) -> None:
    sqs.bury("other", source="arn:aws:sqs:us-east-1:1234:another-queue")
    sqs.bury("id1")
    looked = await queues.look(sqs.queue, 20)
    assert [one.request_id for one in looked.found] == ["id1"]
    assert await queues.redrive(sqs.queue) == (1, 1)
    assert (sqs.visible(sqs.dead), sqs.bodies(sqs.queue)) == (["other"], ["id1"])


async def test_messages_that_name_no_queue_they_come_from_are_shown_and_moved(
    sqs: FakeSqs, queues: DeadLetterQueues
) -> None:
    """SQS names none for what a client has sent to the dead-letter queue itself."""
    del sqs.bury("id1").system["DeadLetterQueueSourceArn"]
    assert [one.request_id for one in (await queues.look(sqs.queue, 20)).found] == ["id1"]
    assert await queues.redrive(sqs.queue) == (1, 0)


async def test_a_look_at_many_messages_of_others_ends(sqs: FakeSqs, queues: DeadLetterQueues) -> None:
    for number in range(500):
        sqs.bury(f"other{number}", source="arn:aws:sqs:us-east-1:1234:another-queue")
    assert (await queues.look(sqs.queue, 100)).found == []
    assert sqs.calls.count("receive_message") == MAX_LOOK_RECEIVES


async def test_messages_go_back_with_their_attributes_and_a_mark(sqs: FakeSqs, queues: DeadLetterQueues) -> None:
    for number in range(25):
        sqs.bury(f"id{number}", webhook="https://example.com/hook")
    assert await queues.redrive(sqs.queue) == (25, 0)
    assert sorted(sqs.bodies(sqs.queue)) == sorted(f"id{number}" for number in range(25))
    for moved in sqs.messages[sqs.queue]:
        assert moved.attributes == {
            "webhook": {"DataType": "String", "StringValue": "https://example.com/hook"},
            REPEAT_ATTRIBUTE: {"DataType": "String", "StringValue": "true"},
        }
    # Each is sent before it is deleted.
    assert sqs.calls.index("send_message") < sqs.calls.index("delete_message_batch")


async def test_a_fifo_queue_drops_none_of_them() -> None:
    sqs = FakeSqs(suffix=".fifo")
    for body in ("id1", "id2"):
        sqs.bury(body).system["MessageGroupId"] = body
    assert await DeadLetterQueues(sqs, translate).redrive(sqs.queue) == (2, 0)
    moved = [one.more for one in sqs.messages[sqs.queue]]
    assert [one["MessageGroupId"] for one in moved] == ["id1", "id2"]
    assert len({one["MessageDeduplicationId"] for one in moved} - {"id1", "id2"}) == 2


async def test_in_a_standard_queue_they_stay_those_of_their_callers(sqs: FakeSqs, queues: DeadLetterQueues) -> None:
    sqs.bury("id1").system["MessageGroupId"] = "web"
    sqs.bury("id2")
    assert await queues.redrive(sqs.queue) == (2, 0)
    assert [one.more for one in sqs.messages[sqs.queue]] == [{"MessageGroupId": "web"}, {}]


async def test_a_redrive_is_bounded_and_says_what_is_left(
    sqs: FakeSqs, queues: DeadLetterQueues, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dead_letters, "MAX_MOVED", 20)
    for number in range(45):
        sqs.bury(f"id{number}")
    assert [await queues.redrive(sqs.queue) for _ in range(3)] == [(20, 25), (20, 5), (5, 0)]


async def test_a_message_without_room_for_the_mark_stays(sqs: FakeSqs, queues: DeadLetterQueues) -> None:
    sqs.bury("full", **{f"a{number}": "x" for number in range(10)})
    sqs.bury("id1")
    assert await queues.redrive(sqs.queue) == (1, 1)
    assert sqs.visible(sqs.dead) == ["full"]


async def test_messages_that_cannot_be_sent_stay_and_the_others_go(sqs: FakeSqs, queues: DeadLetterQueues) -> None:
    for body in ("bad", "id1"):
        sqs.bury(body)
    sqs.failing["bad"] = SourceDeniedError("too large")
    assert await queues.redrive(sqs.queue) == (1, 1)
    assert (sqs.visible(sqs.dead), sqs.bodies(sqs.queue)) == (["bad"], ["id1"])


async def test_a_message_is_in_both_queues_rather_than_in_none(sqs: FakeSqs, queues: DeadLetterQueues) -> None:
    sqs.bury("id1")
    sqs.failing["delete_message_batch"] = SourceUnavailableError("down")
    moved, left = await queues.redrive(sqs.queue)
    assert (moved, left, sqs.bodies(sqs.queue), sqs.bodies(sqs.dead)) == (1, 1, ["id1"], ["id1"])


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (SourceUnavailableError("secret-host"), 503, "queue_unavailable"),
        (SourceDeniedError("secret-host", "AccessDenied"), 503, "queue_refused"),
        (SourceGoneError("secret-host"), 409, "no_dead_letter_queue"),
    ],
)
@pytest.mark.parametrize("operation", ["get_queue_attributes", "receive_message", "send_message"])
async def test_a_queue_that_fails_is_a_problem_and_hides_nothing(
    sqs: FakeSqs, queues: DeadLetterQueues, operation: str, error: DequeuerError, status: int, code: str
) -> None:
    sqs.bury("id1")
    sqs.failing[operation] = error
    with pytest.raises(ProblemError, match="queue") as caught:
        await queues.redrive(sqs.queue)
    assert (caught.value.status, caught.value.code) == (status, code)
    assert "secret-host" not in str(caught.value)
    assert (sqs.visible(sqs.dead), sqs.bodies(sqs.queue)) == (["id1"], [])


@pytest.mark.parametrize("policy", ["", "no json", "[]", json.dumps({"maxReceiveCount": 3})])
async def test_a_queue_without_a_dead_letter_queue(policy: str) -> None:
    sqs = FakeSqs(policy=policy)
    with pytest.raises(ProblemError, match="redrive policy") as caught:
        await DeadLetterQueues(sqs, translate).look(sqs.queue, 20)
    assert (caught.value.status, caught.value.code) == (409, "no_dead_letter_queue")


@pytest.mark.parametrize("hangs", ["send_message", "delete_message_batch", "receive_message"])
async def test_a_redrive_that_is_cancelled_loses_nothing_and_shows_all_again(
    sqs: FakeSqs, queues: DeadLetterQueues, hangs: str
) -> None:
    for number in range(3):
        sqs.bury(f"id{number}")
    sqs.hangs = hangs
    task = asyncio.create_task(queues.redrive(sqs.queue))
    await asyncio.sleep(1)
    task.cancel()
    await asyncio.wait({task})
    await asyncio.sleep(HIDDEN_S)
    assert {*sqs.visible(sqs.dead), *sqs.bodies(sqs.queue)} == {"id0", "id1", "id2"}
    sqs.hangs = ""
    assert (await queues.redrive(sqs.queue))[1] == 0  # the turn of the cancelled one is over


async def test_killed_at_any_call_a_redrive_loses_nothing_and_the_next_one_goes_on() -> None:
    bodies = {f"id{number}" for number in range(12)}
    dies_at = 0
    while True:
        dies_at += 1
        sqs = FakeSqs()
        for body in bodies:
            sqs.bury(body)
        sqs.dies_at = dies_at
        with suppress(ProblemError):
            await DeadLetterQueues(sqs, translate).redrive(sqs.queue)
        is_whole = len(sqs.calls) < dies_at
        sqs.dies_at = 0
        await asyncio.sleep(HIDDEN_S)
        assert {*sqs.visible(sqs.dead), *sqs.bodies(sqs.queue)} == bodies
        assert (await DeadLetterQueues(sqs, translate).redrive(sqs.queue))[1] == 0
        assert (set(sqs.bodies(sqs.queue)), sqs.bodies(sqs.dead)) == (bodies, [])
        if is_whole:
            break
    assert dies_at > 15


async def test_a_killed_look_hides_messages_for_half_a_minute(sqs: FakeSqs, queues: DeadLetterQueues) -> None:
    sqs.bury("id1")
    sqs.failing["change_message_visibility_batch"] = SourceUnavailableError("down")
    assert len((await queues.look(sqs.queue, 20)).found) == 1
    assert sqs.visible(sqs.dead) == []
    await asyncio.sleep(HIDDEN_S)
    assert sqs.visible(sqs.dead) == ["id1"]


async def test_a_slow_queue_keeps_others_waiting_for_a_bounded_time(
    sqs: FakeSqs, queues: DeadLetterQueues, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = asyncio.get_running_loop().time
    monkeypatch.setattr(clock, "monotonic", now)
    for number in range(500):
        sqs.bury(f"id{number}", source="" if number % 2 else "arn:aws:sqs:us-east-1:1234:another-queue")
    sqs.call_s = 4.0
    began = now()
    looked = await queues.look(sqs.queue, 100)
    assert 0 < len(looked.found) < 100
    assert now() - began < HIDDEN_S
    began = now()
    async with asyncio.timeout(600):
        moved, left = await queues.redrive(sqs.queue)
    assert (0 < moved < 250, left) == (True, 500 - moved)
    assert now() - began < dead_letters.MAX_REDRIVE_S + 6 * sqs.call_s  # the queues, the last batch, what is left


async def test_one_at_a_time(sqs: FakeSqs, queues: DeadLetterQueues) -> None:
    sqs.hangs = "receive_message"
    first = asyncio.create_task(queues.look(sqs.queue, 20))
    await asyncio.sleep(1)
    with pytest.raises(ProblemError, match="already") as caught:
        await queues.look(sqs.queue, 20)
    assert (caught.value.status, caught.value.code) == (503, "dead_letters_busy")
    first.cancel()
    await asyncio.wait({first})
