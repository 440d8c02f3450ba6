"""How long the commands go on while the gateway is away. In virtual time."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pytest

from dequeuer.client.errors import ClientError, GatewayAbsentError, GatewayBusyError, GatewayLostError
from dequeuer.client.following import RECONNECT_BACKOFF
from dequeuer.client.job_calls import JobCalls, JobPage, Kind
from dequeuer.client.job_status import JobStatus, job_status
from dequeuer.client.jobs import ApiJobs
from dequeuer.client.retrying import CALL_BACKOFF, Retries
from dequeuer.commands.output import Output
from dequeuer.jobs_command import calling
from dequeuer.jobs_command.options import parse
from tests.client.stage import status_fields
from tests.jobs.stage import JOB
from tests.jobs_command.stage import Ended

pytestmark = pytest.mark.looptime

RUNNING, DONE = (job_status(status_fields(state)) for state in ("running", "succeeded"))
ABSENT, BUSY, LOST = GatewayAbsentError("absent"), GatewayBusyError("busy"), GatewayLostError("lost")


class Calls(JobCalls):
    """A gateway that is away.

    Args:
        errors: of the calls, one each, the last one again and again.
        until_s: when it is there again, in the time of the loop.
        hangs_s: how long each call takes.
    """

    def __init__(self, *errors: ClientError, until_s: float = 1e9, hangs_s: float = 0.0) -> None:
        super().__init__(None, "sum")  # type: ignore[arg-type] # nothing is sent
        self.errors = list(errors)
        self.until_s = until_s
        self.hangs_s = hangs_s
        self.asked = 0

    async def submit(self, submission: bytes) -> dict[str, Any]:
        return {"job_id": JOB}

    async def page(self, *, limit: int, after: str) -> JobPage:
        if not after:
            return JobPage(jobs=(RUNNING,), following=JOB)
        await self._away()
        return JobPage(jobs=(DONE,), following="")

    async def events(self, job_id: str) -> AsyncGenerator[JobStatus, None]:
        await self._away()
        yield DONE

    async def _call(self, method: str, query: Mapping[str, str]) -> dict[str, Any]:
        await self._away()
        return {"message": "done", "job_status": RUNNING.fields}

    async def _away(self) -> None:
        self.asked += 1
        await asyncio.sleep(self.hangs_s)
        if asyncio.get_running_loop().time() < self.until_s:
            raise self.errors.pop(0) if len(self.errors) > 1 else self.errors[0]


class Client:
    """As `client.Client`. `calls`: made by each of them."""

    calls: Calls

    def __init__(self, url: str, *, token: str | None, retry_limit_s: float, retry_limit_from_begin: bool) -> None:
        self.retries = Retries(retry_limit_s, from_begin=retry_limit_from_begin)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def jobs(self, name: str, kind: Kind | None) -> ApiJobs:
        return ApiJobs(self.calls, self.retries)


@pytest.fixture(autouse=True)
def client(no_pauses: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pauses are those of the command."""
    monkeypatch.setattr("dequeuer.client.following.RECONNECT_BACKOFF", RECONNECT_BACKOFF)
    monkeypatch.setattr("dequeuer.client.retrying.CALL_BACKOFF", CALL_BACKOFF)
    monkeypatch.setattr(calling, "Client", Client)


@pytest.fixture
def submission(tmp_path: Path) -> str:
    path = tmp_path / "job.json"
    path.write_text("{}")
    return str(path)


async def run(calls: Calls, *line: str) -> Ended:
    Client.calls = calls
    out, err = io.StringIO(), io.StringIO()
    status = await calling.run_call(parse(line), "http://g", Output(out, err))
    return Ended(status, out.getvalue(), err.getvalue())


@pytest.mark.parametrize("command", ["status", "stop", "pause", "resume"])
async def test_a_question_is_repeated_for_ten_seconds(command: str, looptime: float) -> None:
    calls = Calls(LOST)
    assert (await run(calls, command, "sum", JOB)).status == 7
    assert 10.0 - CALL_BACKOFF.max_s <= looptime <= 10.0
    assert calls.asked > 2


@pytest.mark.parametrize("command", ["status", "stop", "pause", "resume"])
async def test_a_question_to_a_gateway_that_hangs_is_asked_once(command: str, looptime: float) -> None:
    calls = Calls(LOST, hangs_s=60.0)
    assert (await run(calls, command, "sum", JOB)).status == 7
    assert (looptime, calls.asked) == (60.0, 1)


@pytest.mark.parametrize("command", ["status", "stop", "pause", "resume"])
async def test_a_gateway_that_is_restarted_while_it_is_asked_is_asked_again(command: str) -> None:
    assert (await run(Calls(BUSY, ABSENT, until_s=2.0), command, "sum", JOB)).status == 0
    done = await run(Calls(BUSY, ABSENT), command, "sum", JOB)
    assert (done.status, done.err) == (7, "dequeuer jobs: absent; is it the address of the gateway?\n")


@pytest.mark.parametrize("command", ["status", "stop", "watch"])
async def test_an_address_at_which_nothing_ever_listened_is_said_at_once(command: str, looptime: float) -> None:
    assert (await run(Calls(ABSENT), command, "sum", JOB)).status == 7
    assert looptime == 0.0


async def test_a_list_goes_on_when_the_gateway_is_restarted_between_its_pages() -> None:
    done = await run(Calls(ABSENT, until_s=2.0), "list", "sum", "--limit", "2", "--json")
    assert (done.status, len(done.lines)) == (0, 2)


async def test_whoever_follows_a_job_outlasts_five_minutes(submission: str) -> None:
    loop = asyncio.get_running_loop()
    for line in (["watch", "sum", JOB], ["submit", "sum", submission, "--wait"]):
        errors = [ABSENT] if line[0] == "submit" else [BUSY, ABSENT]
        began_s = loop.time()
        done = await run(Calls(*errors, until_s=began_s + 300.0 - RECONNECT_BACKOFF.max_s), *line)
        assert done.status == 0
        began_s = loop.time()
        done = await run(Calls(*errors), *line)
        assert done.status == 7
        assert began_s + 300.0 - RECONNECT_BACKOFF.max_s <= loop.time() <= began_s + 300.0
        assert (f"Job {JOB} goes on" in done.err) == (line[0] == "submit")
