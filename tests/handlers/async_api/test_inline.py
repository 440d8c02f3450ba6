"""Requests whose input is in their message: no object is written, read or deleted for the input."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from dequeuer.core.message import REPEAT_ATTRIBUTE, Done, Outcome, Reject, Retry
from dequeuer.formats.envelope import Envelope, encode_envelope
from dequeuer.formats.request_id import make_request_id
from tests.fakes import OpenFence, make_message
from tests.handlers.async_api.test_handler import PREFIX, Stage
from tests.handlers.stage import UNREACHABLE, Reply

pytestmark = pytest.mark.looptime

HEADERS = json.dumps({"X-Twice": ["1", "2"], "Connection": ["x-hop"], "X-Hop": ["gone"]}).encode()


def envelope(headers: bytes = HEADERS, *, again: bool = False, payload: bytes = b"payload") -> str:
    return encode_envelope(
        Envelope(request_id="r1", headers=headers, content_type="image/png", payload=payload, may_repeat=again)
    )


def stage_with(*replies: Reply) -> Stage:
    stage = Stage(*replies, payload=None, headers=None)

    async def no_reading(key: str) -> object:
        raise AssertionError(f"{key} was read")

    stage.store.get = no_reading  # type: ignore[assignment,method-assign]  # nothing may be read
    return stage


async def finish(stage: Stage, outcome: Outcome) -> None:
    assert isinstance(outcome, Done)
    await stage.settle(outcome)


@pytest.mark.parametrize("payload", [b"", b"payload"])
async def test_two_writes_and_nothing_else(payload: bytes) -> None:
    stage = stage_with()
    await finish(stage, await stage.handle(body=envelope(payload=payload)))
    assert stage.store.journal == [("put", PREFIX + "result.json"), ("put", PREFIX + "status/completed")]
    [request] = stage.target.requests
    assert request.body == payload
    assert request.headers == [
        ("X-Twice", "1"),
        ("X-Twice", "2"),
        ("Content-Type", "image/png"),
        ("X-Cortex-Request-ID", "r1"),
    ]


async def test_a_failed_request_keeps_its_payload() -> None:
    stage = stage_with(Reply(status=500))
    await finish(stage, await stage.handle(body=envelope()))
    assert stage.store.journal == [("put", PREFIX + "payload"), ("put", PREFIX + "status/failed")]
    assert stage.store.objects[PREFIX + "payload"] == (b"payload", "image/png")


async def test_malformed_headers_fail_the_request() -> None:
    stage = stage_with()
    await finish(stage, await stage.handle(body=envelope(b'["no"]')))
    assert "headers" in str(stage.failure()["error"])
    assert stage.target.requests == []


async def test_a_redelivery_of_finished_work_does_not_call_the_container() -> None:
    stage = stage_with()
    for receive_count in (1, 2, 3):
        await finish(stage, await stage.handle(receive_count, envelope()))
    assert len(stage.target.requests) == 1


@pytest.mark.parametrize("by_client", [True, False])
async def test_a_repeated_message_does_not_call_the_container(by_client: bool) -> None:
    stage = stage_with()
    await finish(stage, await stage.handle(1, envelope()))
    attributes = {} if by_client else {REPEAT_ATTRIBUTE: "true"}
    message = make_message(envelope(again=by_client), 1, **attributes)
    await finish(stage, await stage.handler.handle(message, OpenFence()))
    assert len(stage.target.requests) == 1
    assert "status/failed" not in stage.names()


@pytest.mark.parametrize("end", ["status/failed", "status/completed"])
@pytest.mark.parametrize("is_inline", [True, False])
async def test_a_message_from_a_dead_letter_queue_changes_no_end(is_inline: bool, end: str) -> None:
    made_at = 1_795_770_000.0
    request_id = make_request_id(made_at)
    stage = Stage()
    prefix = f"uid/workloads/api/{request_id}/"
    stage.store.seed([(prefix + end, b""), (prefix + "payload", b"payload"), (prefix + "headers.json", b"{}")])
    body = request_id
    if is_inline:
        body = encode_envelope(
            Envelope(request_id=request_id, headers=HEADERS, content_type="text/plain", payload=b"payload")
        )
    # SQS moves it as a new message: it is received for the first time, and was sent just now.
    message = replace(make_message(body, 1), sent_at=made_at + 60)
    outcome = await stage.handler.handle(message, OpenFence())
    assert isinstance(outcome, Done)
    assert outcome.state == "already_finished"
    assert stage.target.requests == []
    other = {"status/failed", "status/completed"} - {end}
    assert not {prefix + name for name in other} & stage.store.objects.keys()


async def test_a_message_that_was_sent_with_its_submission_is_looked_up_for_nothing() -> None:
    made_at = 1_795_770_000.0
    request_id = make_request_id(made_at)
    stage = Stage()
    stage.store.seed([(f"uid/workloads/api/{request_id}/payload", b"payload")])

    async def no_listing(prefix: str) -> object:
        raise AssertionError(f"{prefix} was listed")

    stage.store.list = no_listing  # type: ignore[assignment,method-assign]  # nothing may be listed
    stage.store.seed([(f"uid/workloads/api/{request_id}/headers.json", b"{}")])
    message = replace(make_message(request_id, 1), sent_at=made_at + 5)
    outcome = await stage.handler.handle(message, OpenFence())
    assert isinstance(outcome, Done)
    assert outcome.state == "completed"


async def test_a_crash_after_the_result_is_finished_by_the_redelivery() -> None:
    stage = stage_with()
    stage.put("result.json", b"1")
    await finish(stage, await stage.handle(2, envelope()))
    assert stage.target.requests == []
    assert "status/completed" in stage.names()


async def test_an_unavailable_container_gets_the_request_again() -> None:
    stage = stage_with(UNREACHABLE)
    assert isinstance(await stage.handle(1, envelope()), Retry)
    await finish(stage, await stage.handle(5, envelope()))
    assert "status/failed" in stage.names()


@pytest.mark.parametrize(
    "body",
    [
        '{"dequeuer":1,"id":"../r1","payload":"c2VjcmV0"}',
        '{"dequeuer":1,"id":"r1","payload":"secret"',
        '{"dequeuer":9,"id":"r1","payload":"c2VjcmV0"}',
    ],
)
async def test_a_malformed_envelope_is_poison_and_is_not_quoted(body: str) -> None:
    stage = stage_with()
    outcome = await stage.handle(body=body)
    assert isinstance(outcome, Reject)
    assert outcome.poison
    assert "secret" not in outcome.reason
    assert "c2Vj" not in outcome.reason
    assert stage.store.journal == []


async def test_logs_name_the_request_id() -> None:
    stage = stage_with()
    assert stage.handler.ref(make_message(envelope())) == "r1"
    assert stage.handler.ref(make_message('{"dequeuer":1,"id":"a b"}')) == ""
