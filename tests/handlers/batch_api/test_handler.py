import pytest

from dequeuer.core.drain import Drain
from dequeuer.core.errors import ContainerTimeoutError, ContainerUnavailableError, InvalidResponseError
from dequeuer.core.events import BatchEnded, ResponseStarted
from dequeuer.core.message import Done, Outcome, Reject, Retry
from dequeuer.handlers.batch_api.completion import Completion
from dequeuer.handlers.batch_api.handler import BatchHandler, is_completion
from dequeuer.handlers.response_policy import ResponsePolicy
from dequeuer.sources.base import Depth
from tests.fakes import FakeSource, OpenFence, Recorder, make_message
from tests.handlers.stage import NOT_HTTP, UNREACHABLE, Reply, ScriptedTarget

pytestmark = pytest.mark.looptime


class Stage:
    def __init__(self, *replies: Reply) -> None:
        self.target = ScriptedTarget(list(replies) or [Reply(content_type="text/plain", body=b"ignored")])
        self.drain = Drain()
        self.seen = Recorder()
        policy = ResponsePolicy(max_attempts=5, retry_statuses=frozenset({429, 503}))
        self.handler = BatchHandler(
            job_id="job-1",
            target=self.target,
            completion=Completion(
                job_id="job-1",
                queue=FakeSource(depths=[Depth(visible=0, in_flight=1, delayed=0)]),
                target=self.target,
                delay_s=10,
                policy=policy,
                drain=self.drain,
                observer=self.seen,
            ),
            policy=policy,
            drain=self.drain,
            observer=self.seen,
        )

    async def handle(self, body: str = "[1, 2]", receive_count: int = 1, **attributes: str) -> Outcome:
        return await self.handler.handle(make_message(body, receive_count, **attributes), OpenFence())

    def ends(self) -> list[bool]:
        return [event.succeeded for event in self.seen.of(BatchEnded)]


async def test_a_batch_is_posted_as_it_is_and_its_response_ignored() -> None:
    stage = Stage()
    assert await stage.handle('[{"naïve": 1.50}]') == Done(state="succeeded")
    [request] = stage.target.requests
    assert (request.path, request.body) == ("/", '[{"naïve": 1.50}]'.encode())
    assert request.headers == [("Content-Type", "application/json"), ("X-Cortex-Job-ID", "job-1")]
    assert stage.ends() == [True]
    assert [event.kind for event in stage.seen.of(ResponseStarted)] == ["batch"]


@pytest.mark.parametrize(
    "reply",
    [
        Reply(status=500),
        Reply(status=204),
        Reply(status=302),
        Reply(error=ContainerTimeoutError("too long")),
        Reply(error=InvalidResponseError("no HTTP")),
    ],
)
async def test_a_failed_attempt_is_rejected_with_backoff(reply: Reply) -> None:
    stage = Stage(reply)
    outcome = await stage.handle(receive_count=3)
    assert isinstance(outcome, Reject)
    assert not outcome.poison
    assert 2 <= outcome.after_s <= 4
    assert stage.ends() == [False]


@pytest.mark.parametrize("reply", [UNREACHABLE, Reply(body_error=ContainerUnavailableError("broke"))])
async def test_an_unavailable_container_is_tried_again_until_max_attempts(reply: Reply) -> None:
    stage = Stage(reply)
    for receive_count in range(1, 5):
        assert isinstance(await stage.handle(receive_count=receive_count), Retry)
    assert stage.ends() == []
    assert isinstance(await stage.handle(receive_count=5), Reject)
    assert stage.ends() == [False]
    stage.drain.request()
    assert await stage.handle(receive_count=5) == Retry(after_s=0, reason=str(reply.error or reply.body_error))


async def test_a_container_that_never_spoke_http_costs_no_attempt() -> None:
    stage = Stage(NOT_HTTP)
    assert isinstance(await stage.handle(receive_count=5000), Retry)
    assert stage.ends() == []


async def test_retry_statuses_are_no_failed_attempt() -> None:
    stage = Stage(Reply(status=429, retry_after="30"))
    outcome = await stage.handle(receive_count=50)
    assert isinstance(outcome, Retry)
    assert outcome.after_s == 30
    assert stage.ends() == []


@pytest.mark.parametrize("body", ["", "{}", "1", "[1,]", "[NaN]", "[1] [2]", "job_complete", '"[]"', '["\ud800"]'])
async def test_what_is_no_json_array_is_poison_and_is_not_quoted(body: str) -> None:
    stage = Stage()
    outcome = await stage.handle(body)
    assert isinstance(outcome, Reject)
    assert outcome.poison
    assert outcome.reason == "the message is not a JSON array"
    assert stage.target.requests == []


async def test_a_completion_message_goes_to_the_completion_and_takes_no_slot() -> None:
    stage = Stage()
    message = make_message("job_complete", job_complete="true", api_name="api", job_id="job-1")
    assert not stage.handler.needs_slot(message)
    assert await stage.handler.handle(message, OpenFence()) == Done(state="job_completed")
    assert stage.target.requests[0].path == "/on-job-complete"


@pytest.mark.parametrize("attributes", [{}, {"job_complete": "false"}, {"Job_Complete": "true"}])
async def test_other_messages_are_batches(attributes: dict[str, str]) -> None:
    stage = Stage()
    message = make_message("[]", 1, **attributes)
    assert not is_completion(message)
    assert stage.handler.needs_slot(message)
    assert stage.handler.ref(message) == ""
