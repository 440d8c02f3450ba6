from __future__ import annotations

import asyncio

import pytest

from dequeuer.core.errors import (
    ContainerTimeoutError,
    ContainerUnavailableError,
    InvalidResponseError,
    LeaseLostError,
)
from dequeuer.core.events import Posted, ResponseStarted
from dequeuer.core.message import Done, Reject, Retry
from dequeuer.handlers.bugs import BugBoundary
from dequeuer.handlers.queue_api.handler import MAX_BUFFERED_PAYLOAD_BYTES, fail_message
from dequeuer.handlers.response_body import MAX_BUFFERED_BYTES, MAX_SMALL_BYTES
from tests.fakes import OpenFence, SwitchFence
from tests.handlers.queue_api.stage import KEY, Stage, make, pointer
from tests.handlers.queue_api.test_delivery import EVENT, TEST_EVENT
from tests.handlers.stage import NOT_HTTP, UNREACHABLE, Reply

pytestmark = pytest.mark.looptime

SIZE = {"ExtendedPayloadSize": "300000"}


async def test_the_body_is_posted_as_it_is_and_the_response_ignored() -> None:
    stage = Stage(Reply(body=b"\xff", content_type=None))
    assert await stage.handle(make("no JSON: naïve \N{SNOWMAN}\n")) == Done(state="succeeded")
    [request] = stage.target.requests
    assert (request.path, request.body) == ("/work", "no JSON: naïve \N{SNOWMAN}\n".encode())
    assert stage.headers["content-type"] == "text/plain"
    assert stage.headers["x-aws-sqsd-queue"] == "jobs"
    assert [event.kind for event in stage.seen.of(ResponseStarted)] == ["queue"]
    assert len(stage.seen.of(Posted)) == 1
    assert stage.store.objects == {}


async def test_only_200_means_done() -> None:
    for status in (201, 202, 204, 302, 400, 404, 500):
        assert isinstance(await Stage(Reply(status=status), max_receives=3).handle(), Reject), status


FAILURES = [
    (Reply(status=500), "container_status"),
    (Reply(error=ContainerTimeoutError("too long")), "timeout"),
    (Reply(error=InvalidResponseError("no HTTP")), "invalid_result"),
    (Reply(body_error=ContainerTimeoutError("too long")), "timeout"),
]


@pytest.mark.parametrize(("reply", "code"), FAILURES)
async def test_a_failed_attempt_is_left_to_the_redrive_policy(reply: Reply, code: str) -> None:
    for receive_count in (1, 3, 100):
        outcome = await Stage(reply, max_receives=100).handle(make(receive_count=receive_count))
        assert isinstance(outcome, Reject)
        assert (outcome.poison, outcome.code) == (False, code)
        assert outcome.after_s >= 1


@pytest.mark.parametrize(("reply", "code"), FAILURES)
async def test_without_a_redrive_policy_the_last_of_max_attempts_ends_a_message(reply: Reply, code: str) -> None:
    for receive_count in range(1, 5):
        outcome = await Stage(reply).handle(make(receive_count=receive_count))
        assert isinstance(outcome, Retry)
        assert outcome.after_s >= 1
    outcome = await Stage(reply).handle(make(receive_count=5))
    assert isinstance(outcome, Reject)
    assert outcome.code == code


async def test_the_container_may_ask_for_another_time() -> None:
    for receive_count in (1, 50):
        outcome = await Stage(Reply(status=503, retry_after="120")).handle(make(receive_count=receive_count))
        reason = "the container answered 503"
        assert outcome == Retry(after_s=120, reason=reason, container_unavailable=True, status_code=503)


@pytest.mark.parametrize("reply", [UNREACHABLE, Reply(body_error=ContainerUnavailableError("broke"))])
async def test_an_unavailable_container_is_tried_again_until_max_attempts(reply: Reply) -> None:
    for receive_count in range(1, 5):
        outcome = await Stage(reply, max_receives=9).handle(make(receive_count=receive_count))
        assert isinstance(outcome, Retry)
        assert outcome.container_unavailable
    assert isinstance(await Stage(reply).handle(make(receive_count=5)), Reject)


async def test_a_container_that_never_spoke_http_ends_no_message() -> None:
    assert isinstance(await Stage(NOT_HTTP).handle(make(receive_count=50)), Retry)


async def test_a_drain_releases_at_once_and_fails_nothing() -> None:
    stage = Stage(UNREACHABLE)
    stage.drain.request()
    outcome = await stage.handle(make(receive_count=50))
    assert isinstance(outcome, Retry)
    assert outcome.after_s == 0


async def test_a_bug_ends_a_message_with_its_last_attempt() -> None:
    stage = Stage()
    stage.target.replies = []  # an IndexError
    handler = BugBoundary(stage.handler, fail_message, 5)
    assert isinstance(await handler.handle(make(receive_count=4), OpenFence()), Retry)
    last = await handler.handle(make(receive_count=5), OpenFence())
    assert isinstance(last, Reject)
    assert last.code == "bug"


@pytest.mark.parametrize("message", [make("half \ud800"), make(message_id="m\r\nHost: evil")])
async def test_a_message_that_cannot_be_sent_is_poison(message: object) -> None:
    stage = Stage(keeps_results=True)
    outcome = await stage.handle(message)  # type: ignore[arg-type]
    assert isinstance(outcome, Reject)
    assert outcome.poison
    assert "evil" not in outcome.reason
    assert stage.target.requests == []


async def test_a_test_event_of_s3_is_done_without_a_call() -> None:
    stage = Stage(body_format="s3-events")
    outcome = await stage.handle(make(TEST_EVENT))
    assert isinstance(outcome, Done)
    assert stage.target.requests == []
    await stage.handle(make(EVENT))
    assert [request.body for request in stage.target.requests] == [EVENT.encode()]


async def test_a_message_chooses_its_path_only_when_that_is_allowed() -> None:
    message = make(attributes={"beanstalk.sqsd.path": "/admin"})
    for takes_paths, path in ((False, "/work"), (True, "/admin")):
        stage = Stage(takes_paths=takes_paths)
        await stage.handle(message)
        assert [request.path for request in stage.target.requests] == [path]
        assert stage.headers["x-aws-sqsd-path"] == "/admin"


@pytest.mark.parametrize("size", [0, 7, MAX_BUFFERED_PAYLOAD_BYTES, MAX_BUFFERED_PAYLOAD_BYTES + 1, 1_000_000])
async def test_a_pointer_is_followed_in_an_allowed_bucket(size: int) -> None:
    stage = Stage(reads_payloads=True)
    stage.store.seed([("a/1", b"x" * size)], "application/octet-stream")
    assert await stage.handle(make(pointer(), attributes={**SIZE, "a": "1"})) == Done(state="succeeded")
    [request] = stage.target.requests
    assert request.body == b"x" * size
    assert stage.headers["content-type"] == "text/plain"
    assert stage.headers["x-aws-sqsd-attr-a"] == "1"
    assert "x-aws-sqsd-attr-extendedpayloadsize" not in stage.headers
    assert stage.store.journal == []


async def test_a_pointer_to_another_bucket_is_poison_and_nothing_is_read() -> None:
    stage = Stage(reads_payloads=True)
    stage.store.refuse("get")  # a read would be a failed attempt
    outcome = await stage.handle(make(pointer("secrets"), attributes=SIZE))
    assert isinstance(outcome, Reject)
    assert outcome.poison
    assert "secrets" not in outcome.reason
    assert stage.target.requests == []


async def test_without_allowed_buckets_a_pointer_is_a_body_like_others() -> None:
    stage = Stage(keeps_results=True)
    await stage.handle(make(pointer(), attributes=SIZE))
    assert [request.body for request in stage.target.requests] == [pointer().encode()]
    assert stage.headers["x-aws-sqsd-attr-extendedpayloadsize"] == "300000"


async def test_a_body_that_only_looks_like_a_pointer_is_not_followed() -> None:
    stage = Stage(reads_payloads=True)
    await stage.handle(make(pointer()))
    assert [request.body for request in stage.target.requests] == [pointer().encode()]


async def test_a_missing_payload_is_a_failed_attempt() -> None:
    outcome = await Stage(reads_payloads=True, max_receives=3).handle(make(pointer(), attributes=SIZE))
    assert isinstance(outcome, Reject)
    assert outcome.code == "missing_payload"
    assert isinstance(await Stage(reads_payloads=True).handle(make(pointer(), attributes=SIZE)), Retry)


async def test_an_outage_of_the_store_is_waited_for_and_a_refusal_costs_an_attempt() -> None:
    stage = Stage(reads_payloads=True)
    stage.store.seed([("a/1", b"x")])
    stage.store.fail(3)
    assert await stage.handle(make(pointer(), attributes=SIZE)) == Done(state="succeeded")
    stage.store.refuse("get")
    assert isinstance(await stage.handle(make(pointer(), 4, SIZE)), Retry)
    last = await stage.handle(make(pointer(), 5, SIZE))
    assert isinstance(last, Reject)
    assert last.code == "store_refused"
    assert len(stage.target.requests) == 1


async def test_a_payload_is_deleted_after_its_message_and_only_after_a_success() -> None:
    stage = Stage(Reply(status=500), Reply(), reads_payloads=True, deletes_payloads=True)
    stage.store.seed([("a/1", b"x")])
    assert isinstance(await stage.handle(make(pointer(), attributes=SIZE)), Retry)
    outcome = await stage.handle(make(pointer(), attributes=SIZE))
    assert isinstance(outcome, Done)
    assert "a/1" in stage.store.objects
    assert outcome.after_ack is not None
    stage.store.fail(2)
    await outcome.after_ack()
    assert stage.store.journal == [("delete", "a/1")]


async def test_a_payload_that_may_not_be_deleted_stays() -> None:
    stage = Stage(reads_payloads=True, deletes_payloads=True)
    stage.store.seed([("a/1", b"x")])
    stage.store.refuse("delete")
    outcome = await stage.handle(make(pointer(), attributes=SIZE))
    assert isinstance(outcome, Done)
    assert outcome.after_ack is not None
    await outcome.after_ack()
    assert "a/1" in stage.store.objects


@pytest.mark.parametrize("has_size", [True, False])
@pytest.mark.parametrize("size", [0, 9, MAX_SMALL_BYTES, MAX_SMALL_BYTES + 1, MAX_BUFFERED_BYTES, 3_000_000])
async def test_a_response_is_stored_as_it_is_before_the_message_is_done(size: int, has_size: bool) -> None:
    body = b"\xff" * size
    stage = Stage(Reply(body=body, content_type="image/png", size=size if has_size else None), keeps_results=True)
    assert await stage.handle() == Done(state="completed")
    assert stage.store.objects == {KEY: (body, "image/png")}


async def test_a_response_without_a_type_is_bytes() -> None:
    stage = Stage(Reply(content_type=None), keeps_results=True)
    await stage.handle()
    assert stage.store.objects[KEY][1] == "application/octet-stream"


async def test_a_redelivery_of_finished_work_does_not_reach_the_container() -> None:
    stage = Stage(keeps_results=True, reads_payloads=True, deletes_payloads=True)
    stage.store.seed([(KEY, b"first"), (f"{KEY}0", b"of another message")])
    outcome = await stage.handle(make(pointer(), 2, SIZE))
    assert isinstance(outcome, Done)
    assert outcome.state == "already_finished"
    assert outcome.after_ack is not None, "the payload of the finished message would stay"
    assert stage.target.requests == []


async def test_the_result_of_another_message_is_none_of_this_one() -> None:
    stage = Stage(keeps_results=True)
    stage.store.seed([(f"{KEY}0", b"of another message")])
    assert await stage.handle(make(receive_count=2)) == Done(state="completed")


@pytest.mark.parametrize("size", [9, MAX_SMALL_BYTES + 1, 3_000_000])
async def test_a_result_that_is_there_is_kept(size: int) -> None:
    stage = Stage(Reply(body=b"2" * size), keeps_results=True)
    stage.store.seed([(KEY, b"first")])
    assert await stage.handle() == Done(state="completed")
    assert stage.store.objects[KEY][0] == b"first"


@pytest.mark.parametrize("size", [9, MAX_SMALL_BYTES + 1])
async def test_a_response_is_kept_while_it_may_not_be_written(size: int) -> None:
    stage = Stage(Reply(body=b"2" * size), keeps_results=True)
    stage.store.refuse("create")
    handling = asyncio.create_task(stage.handle())
    await asyncio.sleep(20)
    assert not handling.done()
    stage.store.allow()
    stage.store.fail(2)
    assert await handling == Done(state="completed")
    assert len(stage.target.requests) == 1


async def test_a_large_response_that_cannot_be_stored_is_asked_for_again() -> None:
    stage = Stage(Reply(body=b"2" * 3_000_000), keeps_results=True)
    stage.store.fail()
    assert isinstance(await stage.handle(), Retry)
    stage.store.refuse("put_stream")
    outcome = await stage.handle(make(receive_count=50))
    assert isinstance(outcome, Retry), "the response is not the last attempt of the message"
    assert outcome.after_s == 60


@pytest.mark.parametrize("size", [9, MAX_SMALL_BYTES + 1, 3_000_000])
async def test_nothing_is_stored_after_the_lease(size: int) -> None:
    stage = Stage(Reply(body=b"2" * size), keeps_results=True)
    fence = SwitchFence()
    fence.lost = True
    with pytest.raises(LeaseLostError):
        await stage.handle(fence=fence)
    assert stage.store.objects == {}


@pytest.mark.parametrize("has_size", [True, False])
async def test_a_response_that_is_too_large_is_a_failed_attempt(has_size: bool) -> None:
    reply = Reply(body=b"2" * 101, size=101 if has_size else None)
    stage = Stage(reply, keeps_results=True, max_result_bytes=100, max_receives=3)
    outcome = await stage.handle()
    assert isinstance(outcome, Reject)
    assert outcome.code == "invalid_result"
    assert stage.store.objects == {}


async def test_half_a_response_is_not_stored() -> None:
    reply = Reply(body=b"2" * 3_000_000, body_error=ContainerUnavailableError("broke"))
    stage = Stage(reply, keeps_results=True)
    assert isinstance(await stage.handle(), Retry)
    assert stage.store.objects == {}


async def test_an_id_that_would_be_another_key_is_poison() -> None:
    outcome = await Stage(keeps_results=True).handle(make(message_id="../secret"))
    assert isinstance(outcome, Reject)
    assert outcome.poison
