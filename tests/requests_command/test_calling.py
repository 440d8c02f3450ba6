"""The commands against canned answers."""

from __future__ import annotations

import asyncio
import io
import json
from pathlib import Path
from typing import Any

import pytest

from dequeuer.commands.output import Output
from dequeuer.core.errors import ConfigurationError
from dequeuer.requests_command import calling, refused, tailing, waiting
from dequeuer.requests_command.calling import run_call
from dequeuer.requests_command.options import Options, SubmitArguments
from tests.client.stage import HOLD, answer, canned, events
from tests.commands.stage import Ended
from tests.requests_command.stage import ONE, OTHER, call, completed, document, failed, not_found

EVIL = "\x1b[2J\x9b\u202e"


async def test_a_submission_is_sent_with_its_options_and_prints_the_id() -> None:
    async with canned(answer({"id": ONE})) as gateway:
        done = await call(
            gateway.url,
            *("submit", "hello", "--data", '{"n": 1}', "--priority", "high", "--deadline", "5m", "--key", "k"),
            *("--header", "X-A: b", "--webhook", "https://me/"),
        )
        assert done == Ended(0, f"{ONE}\n", "")
        again = await call(gateway.url, "submit", "hello", "--data", "x", "--json", "--content-type", "text/x")
    assert json.loads(again.out) == {"id": ONE}
    assert gateway.requests == [("POST /hello", b'{"n": 1}'), ("POST /hello", b"x")]
    for line in (
        *("Content-Type: application/json", "X-Dequeuer-Priority: high", "Cancel-After: 300.000"),
        *('Idempotency-Key: "k"', "X-A: b", "X-Webhook-URL: https://me/"),
    ):
        assert f"\r\n{line}\r\n" in gateway.heads[0]
    assert "\r\nContent-Type: text/x\r\n" in gateway.heads[1]


@pytest.mark.parametrize(
    ("end", "status"),
    [
        (completed({"n": 1}), 0),
        (failed("cancelled"), 4),
        (failed("expired"), 5),
        (failed("container_status"), 6),
        (document("failed"), 6),
    ],
)
async def test_the_exit_status_is_that_of_the_end_of_the_request(end: dict[str, Any], status: int) -> None:
    async with canned(answer(end)) as gateway:
        assert (await call(gateway.url, "wait", "hello", ONE)).status == status
    async with canned(answer({"id": ONE}), answer(end)) as gateway:
        assert (await call(gateway.url, "submit", "hello", "--data", "1", "--wait", "--json")).status == status
    async with canned(events(end)) as gateway:
        assert (await call(gateway.url, "tail", "hello", ONE)).status == status


@pytest.mark.parametrize(
    ("answers", "status"),
    [
        ([answer(completed()), answer(completed(request_id=OTHER))], 0),
        ([answer(completed()), answer(failed(request_id=OTHER))], 3),
        ([answer(failed()), answer(failed(request_id=OTHER))], 3),
        ([answer(failed()), not_found(OTHER)], 1),
    ],
)
async def test_the_exit_status_of_several_says_whether_all_have_completed(answers: list[bytes], status: int) -> None:
    async with canned(*answers) as gateway:
        assert (await call(gateway.url, "wait", "hello", ONE, OTHER)).status == status


async def test_a_wait_tells_how_each_has_ended() -> None:
    async with canned(answer(failed())) as gateway:
        people = await call(gateway.url, "wait", "hello", ONE, ONE)
        programs = await call(gateway.url, "wait", "hello", ONE, "--json")
    assert people.out == f"{ONE}  failed, took 0:01, container_status: the container answered 500, not 200\n"
    assert json.loads(programs.out) == failed()


async def test_one_that_is_not_there_does_not_hide_the_others() -> None:
    async with canned(not_found(OTHER), answer(completed(1))) as gateway:
        people = await call(gateway.url, "status", "hello", OTHER, ONE)
    assert people.status == 1
    assert people.err == (f"dequeuer status: id {OTHER} not found; `dequeuer list hello` shows those that are there\n")
    assert [line.split()[:2] for line in people.lines] == [["REQUEST", "STATUS"], [ONE, "completed"]]
    async with canned(not_found(OTHER), answer(completed([1]))) as gateway:
        programs = await call(gateway.url, "status", "hello", OTHER, ONE, "--json")
    faults, found = map(json.loads, programs.lines)
    assert (faults["faults"][0]["message"], found) == (f"id {OTHER} not found", completed([1]))


async def test_json_is_one_line_whatever_the_result_looks_like() -> None:
    result = b'{\n\t"big": 12345678901234567890.50,\r\n "text": "a\\n\\u001b"\n}'
    body = b'{"id":"%b","status":"completed","result":%b}' % (ONE.encode(), result)
    async with canned(answer(body)) as gateway:
        done = await call(gateway.url, "status", "hello", ONE, "--json")
    assert len(done.lines) == 1
    assert '"big": 12345678901234567890.50' in done.out
    assert json.loads(done.out)["result"] == json.loads(result)


async def test_many_are_printed_in_their_order_and_those_that_are_refused_end_nothing(tmp_path: Path) -> None:
    file = tmp_path / "all.jsonl"
    file.write_text("1\n\nno\n2\n3\n")
    answers = [answer({"id": ONE}), answer({"code": "x", "detail": "too large"}, 413), answer({"id": OTHER})]
    line = ("submit", "hello", str(file), "--lines", "--concurrency", "1")
    async with canned(*answers) as gateway:
        people = await call(gateway.url, *line)
    assert [body for _, body in gateway.requests] == [b"1", b"2", b"3"]
    assert (people.status, people.lines) == (1, [ONE, OTHER])
    assert people.err == (
        f"dequeuer submit: {file}, line 3 is no JSON; correct it, or say what it is with --content-type\n"
        f"dequeuer submit: {file}, line 4 is refused: too large\n"
    )
    async with canned(*answers) as gateway:
        programs = await call(gateway.url, *line, "--json")
    found = [json.loads(line) for line in programs.lines]
    assert [one["index"] for one in found] == [0, 1, 2, 3]
    assert [one.get("id") for one in found] == [ONE, None, None, OTHER]
    assert found[2]["error"] == {"message": "is refused: too large"}


async def test_results_of_many_are_lines_with_the_errors_of_those_that_failed(tmp_path: Path) -> None:
    file = tmp_path / "all.jsonl"
    file.write_text("1\n2\n")
    answers = [
        answer({"id": ONE}),
        answer(completed({"n": 1})),
        answer({"id": OTHER}),
        answer(failed(request_id=OTHER)),
    ]
    async with canned(*answers) as gateway:
        done = await call(gateway.url, "submit", "hello", str(file), "--lines", "--wait", "--concurrency", "1")
    assert done.status == 3
    assert [json.loads(line) for line in done.lines] == [
        {"index": 0, "id": ONE, "result": {"n": 1}},
        {"index": 1, "id": OTHER, "status": "failed", "error": failed()["error"]},
    ]


async def test_a_wait_that_is_refused_is_the_outcome_of_its_line(tmp_path: Path) -> None:
    """The bucket may have deleted a request meanwhile, or the token may have been exchanged."""
    file = tmp_path / "all.jsonl"
    file.write_text("1\n2\n")
    answers = [answer({"id": ONE}), not_found(), answer({"id": OTHER}), answer(completed({"n": 2}, OTHER))]
    async with canned(*answers) as gateway:
        done = await call(gateway.url, "submit", "hello", str(file), "--lines", "--wait", "--concurrency", "1")
    fault = f"is request {ONE}, of which no end is told: id {ONE} not found"
    assert (done.status, done.err) == (1, f"dequeuer submit: {file}, line 1 {fault}\n")
    assert [json.loads(line) for line in done.lines] == [
        {"index": 0, "id": ONE, "error": {"message": fault}},
        {"index": 1, "id": OTHER, "result": {"n": 2}},
    ]


async def test_a_file_that_cannot_be_read_stops_the_command_before_anything_is_sent(tmp_path: Path) -> None:
    (tmp_path / "there").touch()
    async with canned(answer({"id": ONE})) as gateway:
        with pytest.raises(Exception, match="cannot be read") as caught:
            await call(gateway.url, "submit", "hello", str(tmp_path / "there"), str(tmp_path / "none"))
    assert isinstance(caught.value, ConfigurationError)
    assert gateway.requests == []


@pytest.mark.parametrize("many", [False, True])
async def test_an_option_that_the_client_cannot_send_is_a_fault_of_the_command_line(many: bool) -> None:
    """The command line has checks of its own; a rule of the client that they lack is told as they are."""
    for submission in (
        SubmitArguments(data="1", splits_lines=many, headers=(("Host", "x"),)),
        SubmitArguments(data="1", splits_lines=many, cancel_after_s=1e12),
        SubmitArguments(data="1", splits_lines=many, key="\n"),
    ):
        async with canned(answer({"id": ONE})) as gateway:
            options = Options(command="submit", api="hello", submission=submission)
            with pytest.raises(ConfigurationError):
                await run_call(options, gateway.url, Output(io.StringIO(), io.StringIO()))
        assert gateway.requests == []


async def test_a_result_that_is_not_there_is_said(tmp_path: Path) -> None:
    async with canned(answer(document("in_queue"))) as gateway:
        waits = await call(gateway.url, "result", "hello", ONE)
    assert (waits.status, waits.out) == (1, "")
    assert waits.err == f"dequeuer result: request {ONE} is in_queue: `dequeuer wait hello {ONE}` waits for its end\n"
    async with canned(answer(failed())) as gateway:
        assert (await call(gateway.url, "result", "hello", ONE)).status == 6
    async with canned(answer(document("completed"))) as gateway:
        gone = await call(gateway.url, "result", "hello", ONE)
    assert (gone.status, "the bucket has deleted it" in gone.err) == (1, True)
    async with canned(answer(completed({"n": 1}))) as gateway:
        saved = await call(gateway.url, "result", "hello", ONE, "--output", str(tmp_path / "result.json"))
    assert saved == Ended(0, "", "")
    assert await asyncio.to_thread((tmp_path / "result.json").read_bytes) == b'{"n":1}'


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("status hello {id}", "GET /hello/{id}?max_result_bytes=0"),
        ("status hello {id} {id}", "GET /hello/{id}?max_result_bytes=0"),
        ("status hello {id} --json", "GET /hello/{id}"),
        ("cancel hello {id}", "DELETE /hello/{id}?max_result_bytes=0"),
        ("cancel hello {id} --json", "DELETE /hello/{id}"),
        ("wait hello {id}", "GET /hello/{id}?wait=30&max_result_bytes=0"),
        ("wait hello {id} --json", "GET /hello/{id}?wait=30&max_result_bytes=65536"),
        ("result hello {id}", "GET /hello/{id}?max_result_bytes=65536"),
    ],
)
async def test_a_result_that_nobody_prints_is_not_asked_for(line: str, asked: str) -> None:
    async with canned(answer(failed())) as gateway:
        await call(gateway.url, *line.format(id=ONE).split())
    assert {first for first, _ in gateway.requests} == {asked.format(id=ONE)}


LARGE = document(result_bytes=70_002)
LARGE_RESULT = completed("x" * 70_000)


async def test_large_results_are_in_the_lines_for_programs(tmp_path: Path) -> None:
    async with canned(answer(LARGE), answer(LARGE_RESULT)) as gateway:
        waited = await call(gateway.url, "wait", "hello", ONE, "--json")
    async with canned(answer({"id": ONE}), answer(LARGE), answer(LARGE_RESULT)) as gateway:
        submitted = await call(gateway.url, "submit", "hello", "--data", "1", "--wait", "--json")
    assert json.loads(waited.out) == json.loads(submitted.out) == LARGE_RESULT
    file = tmp_path / "all.jsonl"
    file.write_text("1\n2\n")
    answers = [
        answer({"id": ONE}),
        answer(LARGE),
        answer(LARGE_RESULT),
        answer({"id": OTHER}),
        answer(completed(2, OTHER)),
    ]
    async with canned(*answers) as gateway:
        many = await call(gateway.url, "submit", "hello", str(file), "--lines", "--wait", "--concurrency", "1")
    assert (many.status, many.err) == (0, "")
    assert [json.loads(line) for line in many.lines] == [
        {"index": 0, "id": ONE, "result": "x" * 70_000},
        {"index": 1, "id": OTHER, "result": 2},
    ]


async def test_a_result_that_is_too_large_for_a_line_is_said_of_its_request_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (calling, refused):
        monkeypatch.setattr(module, "MAX_RESULT_BYTES", 10)
    whole = answer(completed("x" * (2 << 20)))
    said = f"the result of request {ONE} has more than 10 bytes: `dequeuer result hello {ONE}` has it"
    monkeypatch.setattr(waiting, "MAX_WAITS", 1)
    for command in ("status", "cancel", "wait"):
        first = [answer(LARGE), whole] if command == "wait" else [whole]
        async with canned(*first, answer(completed(2, OTHER))) as gateway:
            done = await call(gateway.url, command, "hello", ONE, OTHER, "--json")
        assert (done.status, done.err) == (1, f"dequeuer {command}: {said}\n")
        assert [json.loads(line) for line in done.lines] == [
            {"faults": [{"kind": "error", "message": said}]},
            completed(2, OTHER),
        ]
    file = tmp_path / "all.jsonl"
    file.write_text("1\n2\n")
    answers = [answer({"id": ONE}), answer(LARGE), whole, answer({"id": OTHER}), answer(completed(2, OTHER))]
    async with canned(*answers) as gateway:
        many = await call(gateway.url, "submit", "hello", str(file), "--lines", "--wait", "--concurrency", "1")
    assert (many.status, many.err) == (1, f"dequeuer submit: {file}, line 1 has no line: {said}\n")
    assert [json.loads(line) for line in many.lines] == [
        {"index": 0, "id": ONE, "error": {"message": f"has no line: {said}"}},
        {"index": 1, "id": OTHER, "result": 2},
    ]


async def test_a_gateway_that_sends_what_it_was_asked_to_leave_out_is_too_old(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (calling, refused):
        monkeypatch.setattr(module, "MAX_RESULT_BYTES", 10)
    whole = answer(completed("x" * (2 << 20)))
    said = (
        "the result has more than 10 bytes, and the gateway is too old to send a status without it: upgrade the gateway"
    )
    async with canned(whole) as gateway:
        people = await call(gateway.url, "result", "hello", ONE)
    assert people == Ended(1, "", f"dequeuer result: {said}, or read /hello/{ONE} with curl\n")
    async with canned(answer({"id": ONE}), whole) as gateway:
        submitted = await call(gateway.url, "submit", "hello", "--data", "1", "--wait", "--json")
    assert submitted.status == 1
    assert json.loads(submitted.out)["faults"][0]["message"] == f"{said}, or read /hello/ID with curl"
    async with canned(answer({"requests": [document(note="x" * (5 << 20))]})) as gateway:
        listed = await call(gateway.url, "list", "hello")
    assert (listed.status, "too old" in listed.err) == (1, False)


BUSY = answer({"detail": "S3 is away", "code": "unavailable"}, 503)
WHOLE = answer({"id": ONE, "status": "completed", "result": "x" * 70_000})
CUT = WHOLE[:-30_000]


async def test_a_file_of_a_large_result_is_written_anew_after_a_cut(tmp_path: Path) -> None:
    file = tmp_path / "result.json"
    async with canned(answer(LARGE), CUT, WHOLE) as gateway:
        done = await call(gateway.url, "result", "hello", ONE, "--output", str(file))
    assert (done, len(gateway.requests)) == (Ended(0, "", ""), 3)
    assert await asyncio.to_thread(file.read_text) == json.dumps("x" * 70_000)


@pytest.mark.parametrize("response", [BUSY, CUT], ids=["before its begin", "in its middle"])
async def test_a_download_that_always_breaks_is_repeated_for_the_file_alone(tmp_path: Path, response: bytes) -> None:
    async with canned(answer(LARGE), response) as gateway:
        done = await call(gateway.url, "result", "hello", ONE, "--output", str(tmp_path / "result.json"))
    asked, downloads = f"GET /hello/{ONE}?max_result_bytes=65536", f"GET /hello/{ONE}"
    assert (done.status, [line for line, _ in gateway.requests]) == (7, [asked, *[downloads] * 3])
    assert await asyncio.to_thread(lambda: [*tmp_path.iterdir()]) == []


async def test_the_newest_requests_are_a_table() -> None:
    page = answer(
        {
            "requests": [
                failed(),
                document("in_progress", OTHER, progress={"progress": 0.4, "message": "x"}, created=None),
            ]
        }
    )
    async with canned(page) as gateway:
        people = await call(gateway.url, "list", "hello", "--status", "failed", "--limit", "2")
        programs = await call(gateway.url, "list", "hello", "--json")
    assert gateway.requests[0][0] == "GET /hello?limit=2&status=failed"
    assert people.lines[1] == (
        f"{ONE}  failed       2026-11-27 18:32:46Z  0:01  container_status: the container answered 500, not 200"
    )
    assert people.lines[2].split()[-2:] == ["40%", "x"]
    assert json.loads(programs.lines[0]) == failed()


async def test_a_row_stays_one_line_of_a_terminal_and_the_reason_of_one_request_is_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "60")
    async with canned(answer({"requests": [failed()] * 2})) as gateway:
        listed = await call(gateway.url, "list", "hello", terminal=True)
    assert [len(line) for line in listed.lines] == [60, 60, 60]
    assert all(line.endswith("\N{HORIZONTAL ELLIPSIS}") for line in listed.lines)
    async with canned(answer(failed())) as gateway:
        shown = await call(gateway.url, "status", "hello", ONE, terminal=True)
    assert "error    container_status: the container answered 500, not 200" in shown.lines


async def test_all_that_is_known_of_a_request_is_shown() -> None:
    attempts = [
        {
            "outcome": "released",
            "code": "unreachable",
            "reason": "refused",
            "worker": "pod-1",
            "ended": "2026-11-27T18:32:48Z",
        },
        {"outcome": "failed", "status_code": 500},
    ]
    running = document("in_progress", attempts=attempts, progress={"progress": 0.5, "message": "half"})
    async with canned(answer(running | {"cancel_requested": "2026-11-27T18:32:49Z"})) as gateway:
        done = await call(gateway.url, "status", "hello", ONE)
    assert [line for line in done.lines if not line.startswith("time")] == [
        f"request    {ONE}",
        "status     in_progress (cancelling)",
        "created    2026-11-27 18:32:46Z",
        "progress   [###############...............]  50%  half",
        "attempt 1  released, unreachable: refused, by pod-1, 2026-11-27 18:32:48Z",
        "attempt 2  failed, status 500",
    ]


async def test_the_changes_of_an_api_are_shown_oldest_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tailing, "INTERVAL_S", 0.0)
    first = answer({"requests": [document("in_queue")]})
    second = answer({"requests": [document("in_queue", OTHER), document("in_progress")]})
    third = answer({"requests": [document("in_progress", OTHER), document("in_progress")]})
    async with canned(first, second, second, third, answer({"detail": "enough"}, 400)) as gateway:
        done = await call(gateway.url, "tail", "hello", "--json")
    assert done.status == 1
    assert [(one["id"], one["status"]) for one in map(json.loads, done.lines[:-1])] == [
        (ONE, "in_queue"),
        (ONE, "in_progress"),
        (OTHER, "in_queue"),
        (OTHER, "in_progress"),
    ]


async def test_more_that_are_new_than_are_looked_at_are_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tailing, "INTERVAL_S", 0.0)
    async with canned(
        answer({"requests": [document()]}), answer({"requests": [document(request_id=OTHER)]}), answer({}, 400)
    ) as gateway:
        done = await call(gateway.url, "tail", "hello", "--limit", "1")
    assert "more than 1 requests are new since the last look: some are not shown; give a larger --limit" in done.err


async def test_dead_letters_are_sent_back_until_none_of_the_api_are_left() -> None:
    async with canned(
        answer({"moved": 1000, "left": 7}), answer({"moved": 2, "left": 5}), answer({"moved": 0, "left": 5})
    ) as gateway:
        done = await call(gateway.url, "dlq", "redrive", "hello", "--priority", "high")
    assert (done.status, done.out) == (0, "1,002 messages sent back, 5 left\n")
    assert {line for line, _ in gateway.requests} == {"PUT /hello/_dead-letters?action=redrive&priority=high"}
    assert len(gateway.requests) == 3


async def test_dead_letters_are_a_table() -> None:
    letters = {
        "queue": "hello-dead",
        "messages": 3,
        "dead_letters": [
            {"message_id": "m1", "receives": 1234, "id": ONE, "status": "in_queue", "sent": "2026-11-27T05:58:12Z"},
            {"message_id": "m2"},
        ],
    }
    async with canned(answer(letters)) as gateway:
        people = await call(gateway.url, "dlq", "list", "hello")
        programs = await call(gateway.url, "dlq", "list", "hello", "--json")
    assert [line.split() for line in people.lines] == [
        ["MESSAGE", "RECEIVES", "REQUEST", "STATUS", "SENT"],
        ["m1", "1,234", ONE, "in_queue", "2026-11-27", "05:58:12Z"],
        ["m2"],
    ]
    assert people.err == "dequeuer dlq list: 3 messages in hello-dead, 2 shown: --limit shows up to 100\n"
    assert json.loads(programs.out) == letters


@pytest.mark.parametrize(
    "line",
    [
        "list hello",
        f"status hello {ONE}",
        f"wait hello {ONE}",
        f"tail hello {ONE}",
        "tail hello",
        "submit hello --data 1",
    ],
)
async def test_nothing_that_listens_is_one_line_at_once(line: str) -> None:
    async with canned(HOLD) as gateway:
        url = gateway.url
    done = await call(url, *line.split())
    assert (done.status, done.out, len(done.err.splitlines())) == (7, "", 1)
    assert done.err.endswith("; is it the address of the gateway?\n")


async def test_a_submission_that_was_lost_is_not_called_refused() -> None:
    async with canned(answer({"detail": "S3 is away", "code": "unavailable"}, 503, Retry_After="30")) as gateway:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("dequeuer.requests_command.calling.RETRY_LIMIT_S", 0.0)
            busy = await call(gateway.url, "submit", "hello", "--data", "1")
    assert (busy.status, busy.out) == (7, "")
    assert busy.err == (
        "dequeuer submit: the request was not accepted; submit it again later\ndequeuer submit: S3 is away\n"
    )


@pytest.mark.parametrize("terminal", [False, True])
async def test_text_of_a_hostile_server_cannot_act_on_a_terminal(terminal: bool) -> None:
    evil = failed(EVIL, message=EVIL) | {"x": EVIL, "attempts": [{"outcome": EVIL, "worker": EVIL, "reason": EVIL}]}
    letters = {"queue": EVIL, "messages": 9, "dead_letters": [{"message_id": EVIL, "id": EVIL, "status": EVIL}]}
    bodies = [evil, {"requests": [evil]}, letters, {"moved": 0, "left": 0, "x": EVIL}]
    answers = [answer(body) for body in bodies]
    refused = answer({"detail": EVIL, "code": EVIL}, 400)
    for response in (*answers, refused, answer(EVIL.encode(), 404, "text/plain"), answer(b"", 302, Location="\x9b")):
        async with canned(response) as gateway:
            for line in (
                *(["status", "hello", ONE], ["status", "hello", ONE, OTHER], ["wait", "hello", ONE]),
                *(["cancel", "hello", ONE], ["list", "hello"], ["dlq", "list", "hello"], ["dlq", "redrive", "hello"]),
                ["submit", "hello", "--data", "1"],
            ):
                for more in ([], ["--json"]) if terminal else ([],):
                    done = await call(gateway.url, *line, *more, terminal=terminal)
                    assert all(shown.isprintable() for shown in done.lines + done.err.splitlines())
