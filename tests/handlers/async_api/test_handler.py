import asyncio
import json

import pytest

from dequeuer.core.drain import Drain
from dequeuer.core.errors import (
    ContainerTimeoutError,
    ContainerUnavailableError,
    InvalidResponseError,
    LeaseLostError,
    StoreDeniedError,
    StoreMissingError,
    StoreUnavailableError,
)
from dequeuer.core.events import ResponseStarted
from dequeuer.core.message import Done, Fence, Outcome, Reject, Retry
from dequeuer.handlers.async_api.call import MAX_BUFFERED_PAYLOAD_BYTES, PROGRESS_URL_HEADER, REQUEST_ID_HEADER
from dequeuer.handlers.async_api.handler import AsyncHandler
from dequeuer.handlers.async_api.progress import ProgressReports
from dequeuer.handlers.async_api.request_store import MAX_HEADERS_BYTES
from dequeuer.handlers.async_api.result import ResultWriter
from dequeuer.handlers.response_body import MAX_BUFFERED_BYTES, MAX_SMALL_BYTES
from dequeuer.handlers.response_policy import ResponsePolicy
from dequeuer.sinks.base import Payload
from tests.fakes import MemoryStore, OpenFence, Recorder, SwitchFence, make_message
from tests.handlers.stage import NOT_HTTP, UNREACHABLE, Reply, ScriptedTarget
from tests.opened import opened_by

pytestmark = pytest.mark.looptime

PREFIX = "uid/workloads/api/r1/"
MAX_BYTES = 8 * 1024 * 1024


class Stage:
    def __init__(
        self,
        *replies: Reply,
        payload: bytes | None = b"payload",
        headers: bytes | None = b"{}",
        store: MemoryStore | None = None,
        progress: ProgressReports | None = None,
    ) -> None:
        self.store = store or MemoryStore()
        self.put("status/in_queue", b"")
        if payload is not None:
            self.put("payload", payload, "image/png")
        if headers is not None:
            self.put("headers.json", headers)
        self.target = ScriptedTarget(list(replies) or [Reply()])
        self.drain = Drain()
        self.seen = Recorder()
        self.handler = AsyncHandler(
            cluster_uid="uid",
            api_name="api",
            store=self.store,
            deletions=self.store,
            target=self.target,
            results=ResultWriter(MAX_BYTES),
            policy=ResponsePolicy(max_attempts=5, retry_statuses=frozenset({429, 503})),
            drain=self.drain,
            observer=self.seen,
            progress=progress,
        )

    def put(self, name: str, body: bytes, content_type: str | None = None) -> None:
        self.store.seed([(PREFIX + name, body)], content_type)

    def names(self) -> set[str]:
        return {key.removeprefix(PREFIX) for key in self.store.objects}

    def result(self) -> bytes:
        return self.store.objects[PREFIX + "result.json"][0]

    def failure(self) -> dict[str, object]:
        body, content_type = self.store.objects[PREFIX + "status/failed"]
        assert content_type == "application/json"
        loaded: dict[str, object] = json.loads(body)
        return loaded

    async def handle(self, receive_count: int = 1, body: str = "r1", fence: Fence | None = None) -> Outcome:
        return await self.handler.handle(make_message(body, receive_count), fence or OpenFence())

    async def settle(self, outcome: Outcome) -> None:
        """Do what the worker does after the ack."""
        assert isinstance(outcome, Done)
        if outcome.after_ack is not None:
            await outcome.after_ack()


@pytest.mark.parametrize(
    ("reply", "receive_count", "code"),
    [
        (Reply(status=500), 1, "container_status"),
        (Reply(status=302), 1, "container_status"),
        (Reply(content_type="text/plain"), 1, "invalid_result"),
        (Reply(body=b"{"), 1, "invalid_result"),
        (Reply(error=InvalidResponseError("the response is not valid HTTP")), 1, "invalid_result"),
        (Reply(error=ContainerTimeoutError("no complete response within 5 s")), 1, "timeout"),
        (Reply(error=ContainerUnavailableError("refused")), 5, "unreachable"),
    ],
)
async def test_each_failure_of_the_container_has_its_code(reply: Reply, receive_count: int, code: str) -> None:
    stage = Stage(reply)
    await stage.handle(receive_count)
    assert stage.failure()["code"] == code


async def test_a_request_without_its_payload_has_its_code() -> None:
    stage = Stage(payload=None)
    await stage.handle()
    assert stage.failure()["code"] == "missing_payload"


async def test_malformed_headers_have_their_code() -> None:
    stage = Stage(headers=b"[")
    await stage.handle()
    assert stage.failure()["code"] == "invalid_input"


async def test_headers_that_are_too_large_are_closed_and_so_is_the_payload(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = Stage(headers=b" " * (MAX_HEADERS_BYTES + 1))
    opened = opened_by(stage.store, monkeypatch)
    await stage.handle()
    assert stage.failure()["error"] == "headers.json has 262145 bytes; at most 262144 are allowed"
    assert opened == []


async def test_result_then_status_then_after_the_ack_the_input_goes() -> None:
    stage = Stage(Reply(body=b'{"n": 12345678901234567890}'))
    outcome = await stage.handle()
    assert isinstance(outcome, Done)
    assert outcome.state == "completed"
    assert stage.store.journal == [("put", PREFIX + "result.json"), ("put", PREFIX + "status/completed")]
    assert "payload" in stage.names()
    await stage.settle(outcome)
    assert stage.names() == {"result.json", "status/completed", "status/in_queue"}
    assert stage.store.objects[PREFIX + "result.json"] == (b'{"n": 12345678901234567890}', "application/json")
    assert stage.store.objects[PREFIX + "status/completed"] == (b"", "text/plain")


async def test_the_container_gets_the_body_and_the_headers_of_the_client_and_the_id() -> None:
    submitted = {
        "X-Twice": ["1", "2"],
        "content-type": ["text/csv"],
        "Connection": ["x-hop"],
        "X-Hop": ["gone"],
        "Host": ["elsewhere"],
        "Content-Length": ["99"],
        "X-Cortex-Request-ID": ["forged"],
    }
    stage = Stage(headers=json.dumps(submitted).encode())
    await stage.handle()
    [request] = stage.target.requests
    assert request.path == "/"
    assert request.body == b"payload"
    assert request.headers == [
        ("X-Twice", "1"),
        ("X-Twice", "2"),
        ("content-type", "text/csv"),
        ("X-Cortex-Request-ID", "r1"),
    ]
    assert stage.seen.of(ResponseStarted)[0].status_code == 200


@pytest.mark.parametrize("headers", [None, b"null", b"{}"])
async def test_without_a_content_type_the_payload_object_s_is_sent(headers: bytes | None) -> None:
    stage = Stage(headers=headers)
    outcome = await stage.handle()
    assert isinstance(outcome, Done)
    assert outcome.state == "completed"
    assert stage.target.requests[0].headers == [("Content-Type", "image/png"), ("X-Cortex-Request-ID", "r1")]


@pytest.mark.parametrize("size", [0, MAX_BUFFERED_PAYLOAD_BYTES, MAX_BUFFERED_PAYLOAD_BYTES + 1, 3_000_000])
async def test_a_payload_of_any_size_arrives_as_it_is(size: int) -> None:
    payload = bytes(range(256)) * (size // 256 + 1)
    stage = Stage(payload=payload[:size])
    await stage.handle()
    assert stage.target.requests[0].body == payload[:size]


@pytest.mark.parametrize(
    "size", [1, MAX_SMALL_BYTES, MAX_SMALL_BYTES + 1, MAX_BUFFERED_BYTES, MAX_BUFFERED_BYTES + 200_000, MAX_BYTES - 2]
)
async def test_a_result_of_any_size_is_stored_as_it_came(size: int) -> None:
    body = b'"' + b"a" * size + b'"'
    stage = Stage(Reply(body=body))
    outcome = await stage.handle()
    assert isinstance(outcome, Done)
    assert outcome.state == "completed"
    assert stage.result() == body


@pytest.mark.parametrize("body", [b"1", b'"x"', b"null", b"[]", b" {} "])
async def test_any_json_value_is_a_result(body: bytes) -> None:
    stage = Stage(Reply(body=body, content_type="Application/JSON; charset=utf-8"))
    await stage.handle()
    assert stage.result() == body


async def test_the_container_gets_an_address_for_its_reports_when_they_are_wanted() -> None:
    stage = Stage(progress=ProgressReports(lambda secret: f"there/{secret}"))
    await stage.handle()
    assert [name for name, _ in stage.target.requests[0].headers][-2:] == [REQUEST_ID_HEADER, PROGRESS_URL_HEADER]


async def test_a_client_cannot_choose_where_the_container_reports() -> None:
    submitted = json.dumps({PROGRESS_URL_HEADER.lower(): ["http://elsewhere"]}).encode()
    stage = Stage(headers=submitted, progress=ProgressReports(lambda secret: f"there/{secret}"))
    await stage.handle()
    [url] = [value for name, value in stage.target.requests[0].headers if name.lower() == PROGRESS_URL_HEADER.lower()]
    assert url.startswith("there/")


@pytest.mark.parametrize(
    ("reply", "status_code", "text"),
    [
        (Reply(status=500), 500, "answered 500"),
        (Reply(status=204), 204, "answered 204"),
        (Reply(status=302), 302, "answered 302"),
        (Reply(status=201), 201, "answered 201"),
        (Reply(content_type="text/html"), 200, "Content-Type"),
        (Reply(content_type=None), 200, "Content-Type"),
        (Reply(body=b"NaN"), 200, "not JSON"),
        (Reply(body=b'{"a": 1,}'), 200, "not JSON"),
        (Reply(body=b'"\xff"'), 200, "UTF-8"),
        (Reply(body=b""), 200, "ends before"),
        (Reply(body=b'"' + b"a" * MAX_BYTES + b'"'), 200, "DEQUEUER_MAX_RESULT_BYTES"),
        (Reply(size=MAX_BYTES + 1), 200, "DEQUEUER_MAX_RESULT_BYTES"),
        (Reply(body=b'"' + b"a" * 2 * MAX_BUFFERED_BYTES), 200, "ends before"),
        (Reply(error=InvalidResponseError("the response is not valid HTTP")), 200, "not valid HTTP"),
        (Reply(error=ContainerTimeoutError("no complete response within 5 s")), None, "within 5 s"),
        (Reply(body_error=ContainerTimeoutError("no complete response within 5 s")), None, "within 5 s"),
    ],
)
async def test_what_is_no_result_fails_the_request(reply: Reply, status_code: int | None, text: str) -> None:
    stage = Stage(reply)
    outcome = await stage.handle(receive_count=2)
    assert isinstance(outcome, Done)
    assert outcome.state == "failed"
    failure = stage.failure()
    assert text in str(failure["error"])
    assert (failure["status_code"], failure["attempts"]) == (status_code, 2)
    assert "result.json" not in stage.names()
    assert "headers.json" in stage.names()
    await stage.settle(outcome)
    assert stage.names() == {"payload", "status/failed", "status/in_queue"}


@pytest.mark.parametrize(("retry_after", "after_s"), [("7", 7), ("0", 1), ("nonsense", None), (None, None)])
async def test_retry_statuses_release_and_honour_retry_after(retry_after: str | None, after_s: int | None) -> None:
    stage = Stage(Reply(status=503, retry_after=retry_after))
    outcome = await stage.handle(receive_count=4)
    assert isinstance(outcome, Retry)
    if after_s is None:
        assert 4 <= outcome.after_s <= 8
    else:
        assert outcome.after_s == after_s
    assert stage.store.journal == []


async def test_retry_after_never_outlasts_the_queue_s_own_limit() -> None:
    outcome = await Stage(Reply(status=429, retry_after="999999999")).handle()
    assert isinstance(outcome, Retry)
    assert outcome.after_s <= 43_200


@pytest.mark.parametrize(
    "reply", [UNREACHABLE, Reply(body=b'{"half":', body_error=ContainerUnavailableError("the connection broke"))]
)
async def test_an_unavailable_container_is_tried_again_until_max_attempts(reply: Reply) -> None:
    stage = Stage(reply)
    for receive_count in range(1, 5):
        outcome = await stage.handle(receive_count)
        assert isinstance(outcome, Retry)
        assert outcome.after_s >= 1
    assert stage.store.journal == []
    outcome = await stage.handle(5)
    assert isinstance(outcome, Done)
    assert outcome.state == "failed"
    assert stage.failure()["attempts"] == 5


@pytest.mark.parametrize("receive_count", [1, 5, 5000])
async def test_a_container_that_never_spoke_http_fails_no_request(receive_count: int) -> None:
    stage = Stage(NOT_HTTP)
    outcome = await stage.handle(receive_count)
    assert isinstance(outcome, Retry)
    assert outcome.after_s >= 1
    assert "TLS" in outcome.reason
    assert stage.store.journal == []


async def test_during_a_drain_a_broken_connection_never_fails_a_request() -> None:
    stage = Stage(UNREACHABLE)
    stage.drain.request()
    assert await stage.handle(99) == Retry(after_s=0, reason="the container is not reachable")


@pytest.mark.parametrize(
    "body", ["", "../x", "a/b", ".hidden", "a\n", "a" * 129, "x" * 200_000, "\x00", "naïve", "r1 ", '{"id": 1}']
)
async def test_what_is_no_request_id_is_poison_and_touches_nothing(body: str) -> None:
    stage = Stage()
    outcome = await stage.handle(body=body)
    assert isinstance(outcome, Reject)
    assert outcome.poison
    assert len(outcome.reason) < 400
    assert stage.store.journal == []
    assert stage.target.requests == []
    assert stage.handler.ref(make_message(body)) == ""


@pytest.mark.parametrize(
    "headers", [b"[]", b"{", b'{"a": "text"}', b'{"a": [1]}', b'{"a": ["x\\r\\nInjected: 1"]}', b'{"a b": ["1"]}', b"7"]
)
async def test_malformed_headers_fail_the_request_without_a_call(headers: bytes) -> None:
    stage = Stage(headers=headers)
    outcome = await stage.handle()
    assert isinstance(outcome, Done)
    assert outcome.state == "failed"
    assert stage.target.requests == []
    assert "Injected" not in str(stage.failure()["error"])


async def test_a_missing_payload_without_a_result_fails() -> None:
    stage = Stage(payload=None)
    outcome = await stage.handle()
    assert isinstance(outcome, Done)
    assert outcome.state == "failed"
    assert "payload is missing" in str(stage.failure()["error"])


@pytest.mark.parametrize("receive_count", [1, 2])
@pytest.mark.parametrize(
    ("left", "after"),
    [
        # After each step: result, completed, [acknowledgement], payload and headers deleted.
        (["payload", "headers.json", "result.json"], {"result.json", "status/completed", "status/in_queue"}),
        (["payload", "headers.json", "result.json", "status/completed"], None),
        (["headers.json", "result.json", "status/completed"], None),
        (["result.json", "status/completed"], None),
        (["payload", "headers.json", "status/failed"], {"payload", "status/failed", "status/in_queue"}),
        (["payload", "status/failed"], {"payload", "status/failed", "status/in_queue"}),
    ],
)
async def test_a_redelivery_finishes_what_a_crash_left_without_calling_the_container_again(
    left: list[str], after: set[str] | None, receive_count: int
) -> None:
    if receive_count == 1 and {"payload", "headers.json"} <= set(left):
        # While the input is complete, only the receive count distinguishes a second delivery from the first.
        receive_count = 2
    stage = Stage(payload=None, headers=None)
    for name in left:
        stage.put(name, b"{}")
    outcome = await stage.handle(receive_count)
    assert isinstance(outcome, Done)
    assert outcome.state == "already_finished"
    assert stage.target.requests == []
    await stage.settle(outcome)
    assert stage.names() == (after or {"result.json", "status/completed", "status/in_queue"})


async def test_an_existing_result_is_kept() -> None:
    # Two deliveries ran at the same time and the other one was first: a client may have read its result.
    stage = Stage(Reply(body=b'"mine"', takes_s=5))
    handling = asyncio.create_task(stage.handle())
    await asyncio.sleep(2)
    stage.put("result.json", b'"theirs"')
    outcome = await handling
    assert isinstance(outcome, Done)
    assert outcome.state == "completed"
    assert stage.result() == b'"theirs"'


async def test_a_failure_by_another_delivery_is_kept_and_found_by_the_next_one() -> None:
    body = b'"' + b"a" * 2 * MAX_BUFFERED_BYTES + b'"'
    stage = Stage(Reply(body=body, takes_s=5))
    handling = asyncio.create_task(stage.handle())
    await asyncio.sleep(2)
    stage.put("status/failed", b"{}")
    assert isinstance(await handling, Retry)
    assert "status/completed" not in stage.names()
    outcome = await stage.handle(receive_count=2)
    assert isinstance(outcome, Done)
    assert outcome.state == "already_finished"
    assert len(stage.target.requests) == 1


async def test_a_failure_does_not_overrule_a_completion_by_another_delivery() -> None:
    stage = Stage(Reply(status=500, takes_s=5))
    handling = asyncio.create_task(stage.handle())
    await asyncio.sleep(2)
    stage.put("result.json", b"1")
    stage.put("status/completed", b"")
    outcome = await handling
    assert isinstance(outcome, Done)
    assert outcome.state == "already_finished"
    assert "status/failed" not in stage.names()


async def test_work_that_runs_for_a_moment_is_marked_as_in_progress() -> None:
    stage = Stage(Reply(takes_s=5))
    handling = asyncio.create_task(stage.handle())
    await asyncio.sleep(0.9)
    assert "status/in_progress" not in stage.names()
    await asyncio.sleep(0.2)
    assert "status/in_progress" in stage.names()
    await handling


async def test_short_work_is_not_marked_as_in_progress() -> None:
    stage = Stage(Reply(takes_s=0.5))
    await stage.handle()
    await asyncio.sleep(10)
    assert "status/in_progress" not in stage.names()


async def test_an_unavailable_store_is_waited_for() -> None:
    stage = Stage()
    stage.store.fail(30)
    outcome = await stage.handle()
    assert isinstance(outcome, Done)
    assert outcome.state == "completed"
    assert len(stage.target.requests) == 1


async def test_a_response_is_kept_while_the_store_is_unavailable() -> None:
    stage = Stage(Reply(takes_s=0.1))
    handling = asyncio.create_task(stage.handle())
    await asyncio.sleep(0.05)
    stage.store.fail(30)
    outcome = await handling
    assert isinstance(outcome, Done)
    assert outcome.state == "completed"
    assert len(stage.target.requests) == 1


async def test_a_message_with_an_unreadable_payload_is_released_without_a_call() -> None:
    stage = Stage()
    stage.store.fail(2, StoreDeniedError("access denied"))
    outcome = await stage.handle()
    assert isinstance(outcome, Retry)
    assert (outcome.after_s, stage.store.journal, stage.target.requests) == (1, [], [])


async def test_an_unreadable_payload_fails_the_request_after_the_last_attempt() -> None:
    stage = Stage()
    stage.store.refuse("get")
    outcome = await stage.handle(receive_count=5)
    assert isinstance(outcome, Done)
    assert outcome.state == "failed"
    assert stage.failure()["code"] == "store_refused"
    assert "refuses" in str(stage.failure()["error"])


async def test_a_failure_after_a_refusal_waits_from_the_begin_of_the_delivery() -> None:
    """A redelivery waits for two seconds before it fails. What the delivery took already counts."""

    class Slow(MemoryStore):
        async def get(self, key: str) -> Payload:
            await asyncio.sleep(1.5)
            return await super().get(key)

    stage = Stage(store=Slow())
    stage.store.refuse("get")
    began = asyncio.get_running_loop().time()
    await stage.handle(receive_count=5)
    assert asyncio.get_running_loop().time() - began == pytest.approx(2)


@pytest.mark.parametrize("also", ["put", "list"])
async def test_while_not_even_the_failure_can_be_written_the_message_stays(also: str) -> None:
    stage = Stage()
    stage.store.refuse("get", also)
    assert isinstance(await stage.handle(receive_count=99), Retry)
    assert not stage.store.journal


@pytest.mark.parametrize("op", ["put", "create", "list"])
@pytest.mark.parametrize("size", [10, MAX_SMALL_BYTES + 10])
@pytest.mark.parametrize("status", [200, 500])
async def test_a_response_is_kept_while_the_store_refuses(op: str, size: int, status: int) -> None:
    stage = Stage(Reply(status=status, takes_s=0.1, body=b'"' + b"x" * size + b'"'))
    handling = asyncio.create_task(stage.handle(receive_count=2))
    await asyncio.sleep(0.05)
    stage.store.refuse(op)
    await asyncio.sleep(3600)
    is_needed = op != "create" or status == 200
    assert handling.done() is not is_needed
    stage.store.allow()
    outcome = await handling
    assert isinstance(outcome, Done)
    assert outcome.state == ("completed" if status == 200 else "failed")
    assert len(stage.target.requests) == 1


async def test_a_large_response_cannot_be_kept_and_is_released_for_a_minute() -> None:
    stage = Stage(Reply(body=b'"' + b"x" * MAX_BUFFERED_BYTES + b'"'))
    stage.store.refuse("put_stream")
    outcome = await stage.handle()
    assert isinstance(outcome, Retry)
    assert outcome.after_s == 60
    assert "refuses" in outcome.reason
    last = await stage.handle(receive_count=5)
    assert isinstance(last, Done)
    assert last.state == "failed"


async def test_a_refused_deletion_of_the_input_is_tried_for_a_while() -> None:
    stage = Stage()
    outcome = await stage.handle()
    stage.store.refuse("delete")
    tidying = asyncio.create_task(stage.settle(outcome))
    await asyncio.sleep(8)
    stage.store.allow()
    await tidying
    assert stage.names() == {"status/in_queue", "status/completed", "result.json"}
    stage.store.refuse("delete")
    await stage.settle(outcome)  # stops after its timeout


async def test_a_payload_that_breaks_off_while_it_is_sent() -> None:
    stage = Stage(Reply(error=None))
    stage.target.replies = [Reply(error=StoreMissingError("replaced meanwhile"))]
    outcome = await stage.handle()
    assert isinstance(outcome, Done)
    assert outcome.state == "failed"
    stage = Stage()
    stage.target.replies = [Reply(error=StoreUnavailableError("away"))]
    assert isinstance(await stage.handle(), Retry)


async def test_nothing_is_written_once_the_lease_is_lost() -> None:
    stage = Stage(Reply(takes_s=5))
    fence = SwitchFence()
    handling = asyncio.create_task(stage.handle(fence=fence))
    await asyncio.sleep(3)
    stage.store.journal.clear()
    fence.lost = True
    with pytest.raises(LeaseLostError):
        await handling
    assert stage.store.journal == []


async def test_no_failure_is_written_once_the_lease_is_lost() -> None:
    stage = Stage(Reply(status=500, takes_s=0.5))
    fence = SwitchFence()
    handling = asyncio.create_task(stage.handle(fence=fence))
    await asyncio.sleep(0.1)
    fence.lost = True
    with pytest.raises(LeaseLostError):
        await handling
    assert stage.store.journal == []


async def test_cleaning_up_is_best_effort_and_ends() -> None:
    stage = Stage()
    outcome = await stage.handle()
    stage.store.fail(10_000)
    await stage.settle(outcome)
    assert "payload" in stage.names()
    stage.store.failures[:] = [StoreDeniedError("no s3:DeleteObject")]
    await stage.settle(outcome)
