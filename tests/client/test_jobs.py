"""The client against the gateway itself."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, NoReturn

import pytest

from dequeuer.client import ApiJobs, Client, jobs
from dequeuer.client.answers import Answer
from dequeuer.client.errors import (
    AnswerTooLargeError,
    GatewayAbsentError,
    GatewayBusyError,
    GatewayLostError,
    InvalidAnswerError,
    RequestRefusedError,
)
from dequeuer.client.gateway import Gateway, open_gateway
from dequeuer.client.job_calls import PAGE_JOBS, JobCalls, JobPage, Kind
from dequeuer.client.retrying import CALL_BACKOFF, RETRY_LIMIT_S, Retries
from dequeuer.jobs.deployed_api import DeployedApi
from tests.client.stage import OF_A_TASK, Told, answer, calling, canned, chunked, events, status_fields, tell
from tests.gateway.jobs import APIS, SUBMISSION, JobStage
from tests.jobs.stage import JOB, job_spec, seed_job

BODY = json.dumps(SUBMISSION).encode()


@asynccontextmanager
async def served(
    stage: JobStage, api: str = "sum", kind: Kind | None = None, apis: list[DeployedApi] = APIS
) -> AsyncIterator[ApiJobs]:
    async with stage.served(apis) as http, calling(str(http._base_url).rstrip("/"), api, kind) as jobs:
        yield jobs


async def test_a_job_is_submitted_and_reported(stage: JobStage) -> None:
    async with served(stage) as jobs:
        spec = await jobs.submit(BODY)
        report = await jobs.report(spec["job_id"])
    assert report["job_status"]["status"] == "pending"
    assert {name: report["job_status"][name] for name in spec} == spec


async def test_a_job_is_paused_resumed_and_stopped(stage: JobStage) -> None:
    keys = seed_job(stage.store, "running")
    async with served(stage) as jobs:
        assert await jobs.pause(JOB) == {"message": f"paused job {JOB}"}
        assert keys.pause in stage.store.objects
        await jobs.resume(JOB)
        assert keys.pause not in stage.store.objects
        await jobs.stop(JOB)
        assert keys.stop in stage.store.objects


@pytest.mark.usefixtures("no_pauses")
async def test_a_stop_that_is_made_again_is_refused_for_a_task_that_the_first_one_has_ended(
    stage: JobStage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stops, opened = 0, Gateway.open

    async def lose_the_first_stop(self: Gateway, method: str, *args: Any, **more: Any) -> Answer:
        nonlocal stops
        answer = await opened(self, method, *args, **more)
        if method == "DELETE":
            stops += 1
            await answer.aclose()
            stage.store.seed([(f"{prefix}stopped", b"")])
            raise GatewayLostError("lost")
        return answer

    async with served(stage, "train", "task") as jobs:
        job_id = (await jobs.submit(b"{}"))["job_id"]
        prefix = f"uid/jobs/TaskAPI/0.42.1/train/{job_id}/"
        monkeypatch.setattr(Gateway, "open", lose_the_first_stop)
        with pytest.raises(RequestRefusedError) as caught:
            await jobs.stop(job_id)
        assert (caught.value.faults[0].kind, stops) == ("job.job_is_not_in_progress", 1)
        assert f"{prefix}stop" in stage.store.objects
        assert (await jobs.report(job_id))["job_status"]["status"] == "stopped"


async def test_the_kind_of_an_api_is_found_out(stage: JobStage) -> None:
    async with served(stage, "train") as jobs:
        job_id = (await jobs.submit(b"{}"))["job_id"]
        assert (await jobs.report(job_id))["job_status"]["kind"] == "TaskAPI"
    async with served(stage, "train") as jobs:
        assert [status.job_id async for status in jobs.newest(5)] == [job_id]
    for call in (ApiJobs.pause, ApiJobs.resume, ApiJobs.stop):
        async with served(stage, "train") as jobs:
            assert job_id in (await call(jobs, job_id))["message"]
    async with served(stage, "train") as jobs, aclosing(jobs.events(job_id)) as statuses:
        assert (await anext(statuses)).kind == "TaskAPI"
    async with served(stage, "train") as jobs:
        with pytest.raises(RequestRefusedError, match="submitted without output"):
            await anext(jobs.results(job_id))
    async with served(stage, "train", "batch") as jobs:
        with pytest.raises(RequestRefusedError, match="only allowed for BatchAPI"):
            await jobs.report(job_id)
    async with served(stage, "text") as jobs:
        with pytest.raises(RequestRefusedError, match="of kind AsyncAPI"):
            await jobs.submit(BODY)
    async with served(stage, "other") as jobs:
        with pytest.raises(RequestRefusedError, match="other is not deployed"):
            await jobs.submit(BODY)


async def test_all_faults_of_a_submission_come(stage: JobStage) -> None:
    async with served(stage) as jobs:
        with pytest.raises(RequestRefusedError) as caught:
            await jobs.submit(b'{"workers": 0, "timeout": 0, "item_list": {"items": [1], "batch_size": 0}}')
    assert [fault.message.partition(":")[0] for fault in caught.value.faults] == ["item_list", "workers", "timeout"]
    assert stage.store.objects == {}


async def test_an_unknown_job_is_refused_everywhere(stage: JobStage) -> None:
    async with served(stage) as jobs:
        for call in (jobs.report, jobs.stop, jobs.pause, jobs.resume):
            with pytest.raises(RequestRefusedError, match="unable to find BatchAPI job"):
                await call(JOB)
        with pytest.raises(RequestRefusedError, match="unable to find BatchAPI job"):
            await anext(jobs.events(JOB))


async def test_a_list_goes_over_pages(stage: JobStage) -> None:
    for number in range(3 * PAGE_JOBS):
        seed_job(stage.store, "pending", spec=job_spec(f"67e3b0f1a2c4{number:04x}"))
    async with served(stage) as jobs:
        found = [status.job_id async for status in jobs.newest(PAGE_JOBS + 5)]
        assert found == [f"67e3b0f1a2c4{number:04x}" for number in range(PAGE_JOBS + 5)]
        assert len([status async for status in jobs.newest(10_000)]) == 3 * PAGE_JOBS


async def test_a_list_that_leads_in_circles_ends() -> None:
    page = answer([status_fields()], Link=f'</batch/sum?limit=1&after={JOB}>; rel="next"')
    async with canned(page) as gateway, calling(gateway.url) as jobs:
        assert len([status async for status in jobs.newest(1000)]) == 2


async def test_a_list_with_more_jobs_than_asked_for_is_cut() -> None:
    async with canned(answer([status_fields()] * 50)) as gateway, calling(gateway.url) as jobs:
        assert len([status async for status in jobs.newest(3)]) == 3


async def test_a_dry_run_yields_the_files(stage: JobStage) -> None:
    stage.buckets.add("b", "a/1.json", "a/2.json", "c")
    lister = {"s3_paths": ["s3://b/a/"], "batch_size": 1}
    async with served(stage) as jobs:
        found = [path async for path in jobs.dry_run(json.dumps({"workers": 1, "file_path_lister": lister}).encode())]
        assert found == ["s3://b/a/1.json", "s3://b/a/2.json"]
        assert [path async for path in jobs.dry_run(BODY)] == []
        lister["s3_paths"] = ["s3://b/x"]
        with pytest.raises(RequestRefusedError, match="no s3 files match"):
            await anext(jobs.dry_run(json.dumps({"workers": 1, "file_path_lister": lister}).encode()))
    assert stage.store.objects == {}


@pytest.mark.parametrize(
    ("response", "error"),
    [
        (chunked(b"s3://b/1\n", whole=False), GatewayLostError),
        (chunked(b"s3://b/1\n"), InvalidAnswerError),
        (chunked(b"s3://b/1\n", b"x" * 100_000, b"\nvalidations passed"), InvalidAnswerError),
        (answer({"job_id": JOB}), InvalidAnswerError),
    ],
)
async def test_a_dry_run_that_is_cut_off_is_not_valid(response: bytes, error: type[Exception]) -> None:
    async with canned(response) as gateway, calling(gateway.url) as jobs:
        with pytest.raises(error):
            [path async for path in jobs.dry_run(b"{}")]


async def test_a_submission_is_sent_once() -> None:
    busy = answer({"kind": "error", "message": "try again"}, 503)
    for response, error in ((busy, GatewayBusyError), (b"HTTP/1.1 200", GatewayLostError)):
        async with canned(response, answer({"job_id": JOB})) as gateway, calling(gateway.url) as jobs:
            with pytest.raises(error):
                await jobs.submit(BODY)
            assert gateway.requests == [("POST /batch/sum", BODY)]


@pytest.mark.parametrize("body", [[1], {}, {"job_id": 1}, {"job_id": "../x"}, {"job_id": "a\x1b"}])
async def test_a_submission_is_answered_with_an_id(body: object) -> None:
    async with canned(answer(body)) as gateway, calling(gateway.url) as jobs:
        with pytest.raises(InvalidAnswerError, match="without the id"):
            await jobs.submit(BODY)


async def test_the_status_is_followed_by_events(stage: JobStage) -> None:
    seed_job(stage.store, "succeeded")
    async with served(stage) as jobs:
        assert [status.state async for status in jobs.events(JOB)] == ["succeeded"]


async def test_the_path_of_a_gateway_behind_a_load_balancer_is_kept() -> None:
    async with canned(answer({"message": "x"})) as gateway, calling(f"{gateway.url}/jobs/v1/") as jobs:
        await jobs.pause(JOB)
    assert gateway.requests[0][0] == f"PUT /jobs/v1/batch/sum?jobID={JOB}&action=pause"


async def test_a_name_that_is_none_is_part_of_no_path() -> None:
    with pytest.raises(ValueError, match="not the name"):
        async with calling("http://127.0.0.1:1", "../x"):
            pass


@pytest.mark.usefixtures("no_pauses")
async def test_a_job_is_followed_through_lost_connections() -> None:
    streams = events(status_fields("running"), whole=False), b"HTTP/1.1", events(status_fields("succeeded"))
    async with canned(*streams) as gateway, Client(gateway.url) as client:
        seen = [status.state async for status in client.jobs("sum", "batch").events(JOB)]
    assert (seen, len(gateway.requests)) == (["running", "succeeded"], 3)


@pytest.mark.usefixtures("no_pauses")
async def test_a_gateway_that_has_answered_may_be_away_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    async def open_later(self: Gateway, *args: Any, **more: Any) -> Answer:
        if absent:
            raise absent.pop()
        return await opened(self, *args, **more)

    opened, absent = Gateway.open, [GatewayAbsentError("nothing listens")]
    monkeypatch.setattr(Gateway, "open", open_later)
    report, page = answer({"job_status": status_fields()}), answer([status_fields()])
    responses = answer({"job_id": JOB}), events(status_fields("succeeded")), report, page
    async with canned(*responses) as gateway, Client(gateway.url) as client:
        api = client.jobs("sum", "batch")
        with pytest.raises(GatewayAbsentError):  # the address may be wrong
            await api.report(JOB)
        await api.submit(BODY)
        absent += [GatewayAbsentError("nothing listens")] * 2
        assert [status.state async for status in api.events(JOB)] == ["succeeded"]
        absent += [GatewayAbsentError("nothing listens")] * 2
        assert (await api.report(JOB))["job_status"]["status"] == "running"
        absent += [GatewayAbsentError("nothing listens")] * 2
        assert [status.job_id async for status in api.newest(1)] == [JOB]
        absent += [GatewayAbsentError("nothing listens")]
        with pytest.raises(GatewayAbsentError):  # it is sent once, and surely was not
            await api.submit(BODY)
    assert len(gateway.requests) == 4


@pytest.mark.parametrize(
    "first",
    [
        answer({"kind": "error", "message": "no such job"}, 404),
        answer({"kind": "error", "message": "later"}, 503),
        b"HTTP/1.1",
    ],
    ids=["refused", "busy", "lost"],
)
async def test_a_gateway_that_answers_what_is_asked_once_is_known(first: bytes) -> None:
    async with canned(first) as gateway, open_gateway(gateway.url) as opened:
        apis = [ApiJobs(JobCalls(opened, "sum", "batch"), Retries()) for _ in range(3)]
        one, other, third = apis
        for call in (one.submit(BODY), anext(other.dry_run(BODY)), anext(third.results(JOB))):
            with pytest.raises((RequestRefusedError, GatewayBusyError, GatewayLostError)):
                await call
    assert [api.retries.is_known for api in apis] == [True] * 3


@pytest.mark.looptime
async def test_a_gateway_that_refuses_to_serve_a_task_api_as_a_batch_api_is_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    absent = GatewayAbsentError("nothing listens")
    asked = tell(monkeypatch, OF_A_TASK, absent, absent, Told({"job_status": status_fields()}))
    async with Client("http://127.0.0.1:1") as client:
        assert (await client.jobs("train").report(JOB))["job_status"]["status"] == "running"
    assert asked == ["GET /batch/train", *["GET /tasks/train"] * 3]


@pytest.mark.parametrize("name", ["report", "stop", "pause", "resume"])
async def test_a_call_whose_connection_ends_without_an_answer_is_made_once(name: str) -> None:
    async with canned(b"", answer({})) as gateway, calling(gateway.url, kind="batch") as api:
        with pytest.raises(GatewayLostError):
            await getattr(api.calls, name)(JOB)
        assert len(gateway.requests) == 1


async def test_results_are_had_although_a_kept_connection_was_closed() -> None:
    async with canned(b"", chunked(b'{"index":0}\n')) as gateway, calling(gateway.url, kind="batch") as api:
        assert [line async for line in api.results(JOB)] == [b'{"index":0}']


class Checking(Told):
    """The answer of a dry run: the gateway looks for files."""

    async def chunks(self) -> AsyncIterator[bytes]:
        await asyncio.Event().wait()
        yield b""


@pytest.mark.looptime
async def test_a_gateway_that_checks_a_submission_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = Checking(None), GatewayAbsentError("nothing listens"), Told({"job_status": status_fields()})
    asked = tell(monkeypatch, *outcomes)
    async with Client("http://127.0.0.1:1") as client:
        api = client.jobs("sum", "batch")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1.0):
                await anext(api.dry_run(BODY))
        assert (await api.report(JOB))["job_status"]["status"] == "running"
    assert len(asked) == 3


@pytest.mark.usefixtures("no_pauses")
async def test_checks_of_submissions_and_results_are_asked_for_once() -> None:
    async with canned(answer({"kind": "error", "message": "later"}, 503)) as gateway, calling(gateway.url) as api:
        for call in (api.dry_run(BODY), api.results(JOB)):
            gateway.requests.clear()
            with pytest.raises(GatewayBusyError):
                await anext(call)
            assert len(gateway.requests) == 1


class Away(JobCalls):
    """The calls at a gateway that is away. `error`: of each; `times`: of them."""

    def __init__(self, error: Exception) -> None:
        super().__init__(None, "sum")  # type: ignore[arg-type] # nothing is sent
        self.error = error
        self.times: list[float] = []

    async def page(self, *, limit: int, after: str) -> JobPage:
        self._fail()

    async def _call(self, method: str, query: Mapping[str, str]) -> dict[str, Any]:
        self._fail()

    def _fail(self) -> NoReturn:
        self.times.append(asyncio.get_running_loop().time())
        raise self.error


@pytest.mark.looptime
@pytest.mark.parametrize("limit_s", [RETRY_LIMIT_S, 60.0, 0.0])
@pytest.mark.parametrize("name", ["report", "newest", "stop", "pause", "resume"])
async def test_calls_are_repeated_as_long_as_those_about_requests(name: str, limit_s: float) -> None:
    loop = asyncio.get_running_loop()
    for error in (GatewayLostError("lost"), GatewayBusyError("busy"), GatewayAbsentError("absent")):
        retries = Retries(limit_s)
        retries.is_known = True
        calls, began = Away(error), loop.time()
        call = getattr(ApiJobs(calls, retries), name)(JOB if name != "newest" else 5)
        # Of one that is away it is never said that it may have done what it was asked for.
        with pytest.raises(type(error)):
            await (anext(call) if name == "newest" else call)
        assert max(0.0, limit_s - CALL_BACKOFF.max_s) <= loop.time() - began <= limit_s
        assert len(calls.times) == 1 or limit_s


@pytest.mark.looptime
async def test_the_time_that_the_gateway_asks_for_is_waited(looptime: float) -> None:
    with pytest.raises(GatewayBusyError):
        await ApiJobs(Away(GatewayBusyError("busy", 30.0)), Retries(100.0)).stop(JOB)
    assert looptime == 90.0


async def test_a_job_is_followed_no_longer_through_an_outage_than_calls_are_repeated() -> None:
    running = events(status_fields("running"), whole=False)
    async with canned(running) as gateway, Client(gateway.url, retry_limit_s=0) as client:
        with pytest.raises(GatewayLostError):
            [status async for status in client.jobs("sum", "batch").events(JOB)]
    assert len(gateway.requests) == 1


async def test_results_are_lines_whatever_the_pieces_are(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = [b'{"index":%d,"result":"%b"}' % (number, b"x" * number) for number in range(50)]
    whole = b"\n".join(lines)  # without a line break at its end
    pieces = [whole[at : at + 7] for at in range(0, len(whole), 7)]
    async with canned(chunked(*pieces)) as gateway, Client(gateway.url) as client:
        assert [line async for line in client.jobs("sum", "batch").results(JOB, "results")] == lines
    assert gateway.requests == [(f"GET /batch/sum/results?jobID={JOB}&only=results", b"")]
    async with canned(chunked(*pieces[:9], whole=False)) as gateway, Client(gateway.url) as client:
        with pytest.raises(GatewayLostError):
            [line async for line in client.jobs("sum", "batch").results(JOB)]
    monkeypatch.setattr(jobs, "MAX_LINE_BYTES", 60)
    async with canned(chunked(*pieces)) as gateway, Client(gateway.url) as client:
        with pytest.raises(AnswerTooLargeError, match="more than 60 bytes"):
            [line async for line in client.jobs("sum", "batch").results(JOB)]
