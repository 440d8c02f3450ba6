"""How long the commands wait: for the end of a request, and for a gateway that is away. In virtual time."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncGenerator
from types import TracebackType
from typing import Self, get_args

import pytest

from dequeuer.client.request_calls import RequestCalls, Submitted
from dequeuer.client.request_status import RequestStatus, status_of
from dequeuer.client.requests import ApiRequests
from dequeuer.client.retrying import RETRY_LIMIT_S, Retries
from dequeuer.client.submission import Submission
from dequeuer.commands.output import Output
from dequeuer.requests_command import calling
from dequeuer.requests_command.arguments import parse
from dequeuer.requests_command.options import Command, Options, SubmitArguments
from tests.requests_command.stage import ONE, document

pytestmark = pytest.mark.looptime

WAITING = status_of(document("in_queue"))


class Calls(RequestCalls):
    """A gateway whose requests never end."""

    def __init__(self) -> None:
        super().__init__(None, "hello")  # type: ignore[arg-type] # nothing is sent

    async def submit(self, submission: Submission, wait_s: int = 0) -> Submitted:
        return Submitted(id=ONE, status=None)

    async def status(self, request_id: str, wait_s: int = 0, max_result_bytes: int | None = None) -> RequestStatus:
        await asyncio.sleep(wait_s)
        return WAITING

    async def events(self, request_id: str, /) -> AsyncGenerator[RequestStatus, None]:
        yield WAITING
        await asyncio.Event().wait()


class Client:
    """As `client.Client`; `limits`: how long each of them repeats its calls."""

    limits: list[float]

    def __init__(self, url: str, *, token: str | None, retry_limit_s: float, max_result_bytes: int) -> None:
        self.limits.append(retry_limit_s)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def api(self, name: str) -> ApiRequests:
        return ApiRequests(Calls(), Retries())


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    Client.limits = []
    monkeypatch.setattr(calling, "Client", Client)
    return Client.limits


@pytest.mark.parametrize(
    "options",
    [
        parse(["wait", "hello", ONE, "--timeout", "90"]),
        parse(["tail", "hello", ONE, "--timeout", "90"]),
        parse(["submit", "hello", "--data", "1", "--wait", "--timeout", "90"]),
        Options(
            command="submit",
            api="hello",
            timeout_s=90,
            submission=SubmitArguments(data="1", splits_lines=True, waits=True),
        ),
    ],
    ids=["wait", "tail", "submit", "submit many"],
)
async def test_the_exit_status_says_that_the_time_is_over(looptime: float, options: Options) -> None:
    err = io.StringIO()
    status = await calling.run_call(options, "http://g", Output(io.StringIO(), err))
    assert (status, looptime) == (8, 90.0)
    assert "waited for 90 s" in err.getvalue()


async def test_commands_that_wait_outlast_a_restart_of_the_gateway_and_questions_do_not(
    monkeypatch: pytest.MonkeyPatch, limits: list[float]
) -> None:
    async def nothing(*_: object) -> int:
        return 0

    monkeypatch.setattr(calling, "_CALLS", dict.fromkeys(get_args(Command), nothing))
    found = {}
    for command in get_args(Command):
        output = Output(io.StringIO(), io.StringIO())
        assert await calling.run_call(Options(command=command, api="hello"), "http://g", output) == 0
        found[command] = limits.pop()
    assert {command for command, limit_s in found.items() if limit_s == RETRY_LIMIT_S} == {"submit", "wait", "tail"}
    assert set(found.values()) == {RETRY_LIMIT_S, 10.0}
