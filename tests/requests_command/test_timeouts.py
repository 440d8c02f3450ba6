"""How long the commands wait: for the end of a request, and for a gateway that is away. In virtual time."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self, get_args

import pytest

from dequeuer.client.errors import GatewayBusyError, GatewayLostError
from dequeuer.client.request_calls import RequestCalls, Submitted
from dequeuer.client.request_status import RequestStatus, request_status, status_of
from dequeuer.client.requests import ApiRequests
from dequeuer.client.retrying import RETRY_LIMIT_S, Retries
from dequeuer.client.submission import Submission
from dequeuer.commands.output import Output
from dequeuer.formats.go_json import encode
from dequeuer.requests_command import calling
from dequeuer.requests_command.arguments import parse
from dequeuer.requests_command.options import Command, Options, SubmitArguments
from tests.requests_command.stage import ONE, OTHER, document

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


class Hanging(Calls):
    """A gateway that does not answer. `asked`: how often."""

    asked = 0

    async def status(self, request_id: str, wait_s: int = 0, max_result_bytes: int | None = None) -> RequestStatus:
        self.asked += 1
        await asyncio.sleep(60)
        raise GatewayLostError("no answer in time")


class LargeResult(Calls):
    """The first of its requests completes at once, but its result needs 100 s, or does not come.

    Args:
        error: of the download.
    """

    def __init__(self, error: Exception | None = None) -> None:
        super().__init__()
        self.error = error
        self.downloads = asyncio.Event()
        self.submitted = iter((ONE, OTHER))

    async def submit(self, submission: Submission, wait_s: int = 0) -> Submitted:
        return Submitted(id=next(self.submitted), status=None)

    async def status(self, request_id: str, wait_s: int = 0, max_result_bytes: int | None = None) -> RequestStatus:
        if request_id != ONE:
            return await super().status(request_id, wait_s, max_result_bytes)
        if max_result_bytes is not None:
            return request_status(encode(document(result_bytes=70_002)).encode())
        self.downloads.set()
        await asyncio.sleep(100)
        if self.error is not None:
            raise self.error
        return status_of(document(), b'"x"')


class BusyDownload(Calls):
    """The result can be had at the third time. `times`: of the downloads."""

    def __init__(self) -> None:
        super().__init__()
        self.times: list[float] = []

    async def status(self, request_id: str, wait_s: int = 0, max_result_bytes: int | None = None) -> RequestStatus:
        return request_status(encode(document(result_bytes=70_002)).encode())

    async def result_chunks(self, request_id: str, size: int) -> AsyncGenerator[bytes, None]:
        self.times.append(asyncio.get_running_loop().time())
        if len(self.times) < 3:
            raise GatewayBusyError("busy", 5.0)
        yield b'"x"'


class Client:
    """As `client.Client`; `limits`: how long each of them repeats its calls; `calls`: made by them."""

    limits: list[float]
    calls: Calls

    def __init__(
        self,
        url: str,
        *,
        token: str | None,
        retry_limit_s: float,
        retry_limit_from_begin: bool,
        max_result_bytes: int,
    ) -> None:
        self.limits.append(retry_limit_s)
        self.retries = Retries(retry_limit_s, from_begin=retry_limit_from_begin)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def api(self, name: str) -> ApiRequests:
        return ApiRequests(self.calls, self.retries)


@pytest.fixture(autouse=True)
def limits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    Client.limits, Client.calls = [], Calls()
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


@pytest.fixture
def lines(tmp_path: Path) -> list[str]:
    """What submits two requests."""
    file = tmp_path / "all.jsonl"
    file.write_text("1\n2\n")
    return ["submit", "hello", "--lines", str(file), "--wait"]


async def test_a_result_that_comes_when_the_time_is_over_is_printed(lines: list[str]) -> None:
    for options, said, first in (
        (parse(["wait", "hello", ONE, OTHER, "--json", "--timeout", "90"]), f"Request {OTHER} goes on", document()),
        (parse([*lines, "--timeout", "90"]), "2 requests accepted by now", {"index": 0, "id": ONE}),
    ):
        out, err = io.StringIO(), io.StringIO()
        Client.calls = LargeResult()
        began_s = asyncio.get_running_loop().time()
        assert await calling.run_call(options, "http://g", Output(out, err)) == 8
        assert asyncio.get_running_loop().time() - began_s == 100.0
        assert [json.loads(line) for line in out.getvalue().splitlines()] == [{**first, "result": "x"}]
        assert said in err.getvalue()


class LargeResults(LargeResult):
    """Each of its requests completes at once, and each result needs 100 s."""

    async def status(self, request_id: str, wait_s: int = 0, max_result_bytes: int | None = None) -> RequestStatus:
        return replace(await super().status(ONE, wait_s, max_result_bytes), id=request_id)


async def test_a_result_that_is_there_when_the_time_is_over_is_not_begun(lines: list[str], looptime: float) -> None:
    for number, line in enumerate((["wait", "hello", ONE, OTHER, "--json"], lines), 1):
        out = io.StringIO()
        Client.calls = LargeResults()
        assert await calling.run_call(parse([*line, "--timeout", "90"]), "http://g", Output(out, io.StringIO())) == 8
        assert (out.getvalue().count('"result":"x"'), looptime) == (1, 100.0 * number)


async def test_a_wait_whose_last_result_comes_late_is_no_shorter_one(tmp_path: Path) -> None:
    file = tmp_path / "one.jsonl"
    file.write_text("1\n")
    one = ("submit", "hello", "--lines", str(file), "--wait")
    alone = (*one, "--concurrency", "1")
    for line in (("wait", "hello", ONE), ("submit", "hello", "--data", "1", "--wait"), one, alone):
        out, err = io.StringIO(), io.StringIO()
        Client.calls = LargeResult()
        assert await calling.run_call(parse([*line, "--json", "--timeout", "90"]), "http://g", Output(out, err)) == 0
        assert json.loads(out.getvalue())["result"] == "x"
        assert "waited" not in err.getvalue()


async def test_a_payload_that_is_next_when_the_time_is_over_is_not_submitted(lines: list[str]) -> None:
    out, err = io.StringIO(), io.StringIO()
    Client.calls = calls = LargeResult()
    options = parse([*lines, "--timeout", "90", "--concurrency", "1"])
    assert await calling.run_call(options, "http://g", Output(out, err)) == 8
    assert json.loads(out.getvalue()) == {"index": 0, "id": ONE, "result": "x"}
    assert "1 request accepted by now" in err.getvalue()
    assert list(calls.submitted) == [OTHER]


@pytest.mark.parametrize("is_lost", [True, False], ids=["lost gateway", "Ctrl-C"])
async def test_a_request_whose_result_does_not_come_is_told(is_lost: bool, lines: list[str]) -> None:
    said = f"request {ONE} has completed, but its result did not come: `dequeuer result hello {ONE}` has it"
    for options in (
        parse(["wait", "hello", ONE, OTHER, "--json"]),
        parse(["submit", "hello", "--data", "1", "--wait", "--json"]),
        parse(lines),
    ):
        out, err = io.StringIO(), io.StringIO()
        Client.calls = calls = LargeResult(GatewayLostError("the connection broke"))
        command = asyncio.create_task(calling.run_call(options, "http://g", Output(out, err)))
        async with asyncio.timeout(1000):
            await calls.downloads.wait()
        if is_lost:
            assert await command == 7
        else:
            command.cancel()
            with pytest.raises(asyncio.CancelledError):
                await command
        assert said in err.getvalue()
        assert f"Request {ONE} goes on" not in err.getvalue()
        if not is_lost and options.command == "wait":
            assert f"stopped waiting. Request {OTHER} goes on" in err.getvalue()
        if options.submission.splits_lines:
            first = json.loads(out.getvalue().splitlines()[0])
            assert first == {"index": 0, "id": ONE, "error": {"message": f"has no line: {said}"}}


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


async def test_a_question_to_a_gateway_that_hangs_is_asked_once(looptime: float) -> None:
    Client.calls = calls = Hanging()
    output = Output(io.StringIO(), io.StringIO())
    status = await calling.run_call(parse(["status", "hello", ONE]), "http://g", output)
    assert (status, looptime, calls.asked) == (7, 60.0, 1)


async def test_a_file_is_written_anew_after_the_time_that_the_gateway_asks_for(tmp_path: Path) -> None:
    Client.calls = calls = BusyDownload()
    file, output = tmp_path / "result.json", Output(io.StringIO(), io.StringIO())
    line = ["result", "hello", ONE, "--output", str(file)]
    assert await calling.run_call(parse(line), "http://g", output) == 0
    assert (file.read_text(), calls.times) == ('"x"', [0.0, 5.0, 10.0])
