"""The commands for requests as processes, against a gateway with sidecar and container; the lines of docs/commands.md."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.cloud import Bucket, Cloud, Queue
from tests.integration.container import Container, Reply, Request
from tests.integration.gateway.held import Held
from tests.integration.gateway_process import Gateway
from tests.integration.sidecar import ROOT, Sidecar, async_settings
from tests.integration.waiting import DEADLINE_S, eventually

PAGE = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
SECTIONS = ("# Commands for requests", "## Many requests", "## Failures")
ID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
TIME = re.compile(r"(?:\d{4}-\d\d-\d\d )?\d\d:\d\d:\d\dZ")


class Shell:
    """Someone who types commands."""

    def __init__(self, gateway: Gateway, folder: Path) -> None:
        self._folder = folder
        program = folder / "bin" / "dequeuer"
        program.parent.mkdir()
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -m dequeuer "$@"\n')
        program.chmod(0o755)
        self._environment = {
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "DEQUEUER_GATEWAY_URL": f"http://127.0.0.1:{gateway.port}",
        }

    def type(self, line: str) -> str:
        """Type a line; return what is seen: both streams."""
        return subprocess.run(
            [shutil.which("sh") or "sh", "-c", line],
            cwd=self._folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        ).stdout

    def start(self, *line: str) -> subprocess.Popen[str]:
        """Start a command."""
        return subprocess.Popen(
            [sys.executable, "-m", "dequeuer", *line],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *line: str, stdin: str = "") -> tuple[int, str, str]:
        """Run a command; return exit status, standard output and standard error."""
        return ended(self.start(*line), stdin)


def ended(process: subprocess.Popen[str], stdin: str | None = None) -> tuple[int, str, str]:
    """Wait for a command."""
    with process:
        out, err = process.communicate(stdin, timeout=DEADLINE_S)
    return process.returncode, out, err


@pytest.fixture
def shell(gateway: Gateway, tmp_path: Path) -> Shell:
    return Shell(gateway, tmp_path)


def echo(request: Request) -> Reply:
    if b"fail" in request.body:
        return Reply(status=500)
    return Reply(body=b'{"echo": %b}' % request.body)


def examples(heading: str) -> Iterator[tuple[str, str]]:
    """Yield the lines that are typed in a section of the page, each with what it shows."""
    section = PAGE.partition(heading)[2].partition("\n## ")[0]
    for block in re.findall(r"^```\n(.*?)^```$", section, re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, _, shown = part.partition("\n")
            yield line, shown


def settled(shown: str) -> str:
    """Return what is shown without what differs from run to run: ids, times, and the columns that only slow work has."""
    shown = re.sub(r"^started .*\n", "", shown, flags=re.MULTILINE)
    shown = re.sub(r"\b0:\d\d\b", "TIME", TIME.sub("TIME", ID.sub("ID", shown)))
    return re.sub(r"^request +ID$", "request ID", re.sub(r"  +", "  ", shown), flags=re.MULTILINE).rstrip()


def test_every_line_of_the_page_is_in_one_of_these_sections() -> None:
    assert re.findall(r"^\$ .*", PAGE, re.MULTILINE) == [f"$ {line}" for one in SECTIONS for line, _ in examples(one)]


@pytest.mark.parametrize("heading", SECTIONS)
def test_the_lines_of_the_page_do_what_it_says(
    cloud: Cloud, bucket: Bucket, container: Container, tmp_path: Path, heading: str
) -> None:
    queue = cloud.queue(max_receives=10)
    container.reply = echo
    settings = async_settings(cloud, queue, bucket, container.port, DEQUEUER_API_NAME="sample", DEQUEUER_WORKERS="5")
    ids: dict[str, str] = {}

    def of_this_run(written: re.Match[str]) -> str:
        return ids[written[0]]

    with Gateway(cloud.url, bucket, queue.url, api_name="sample") as gateway, Sidecar(settings):
        gateway.wait_started()
        shell = Shell(gateway, tmp_path)
        typed = [(line, shown) for line, shown in examples(heading) if not line.startswith("export ")]
        for line, wanted in typed:
            shown = shell.type(ID.sub(of_this_run, line))
            assert settled(shown) == settled(wanted), (line, shown)
            ids.update(zip(ID.findall(wanted), ID.findall(shown), strict=True))
    assert len(typed) > 2


def test_each_line_is_one_request_when_the_gateway_is_drained_and_started_again(
    cloud: Cloud, bucket: Bucket, queue: Queue, container: Container, tmp_path: Path
) -> None:
    container.reply = echo
    settings = async_settings(cloud, queue, bucket, container.port, DEQUEUER_WORKERS="5")
    lines = "".join(f'{{"n": {number}}}\n' for number in range(40))
    with Gateway(cloud.url, bucket, queue.url) as first, Sidecar(settings):
        first.wait_started()
        submitting = Shell(first, tmp_path).start("submit", "api", "--lines", "--wait")
        assert submitting.stdin is not None
        submitting.stdin.write(lines)
        submitting.stdin.close()
        submitting.stdin = None
        eventually(lambda: len(container.requests) > 10, "some of them to be done")
        first.terminate()
        assert first.wait() == 0
        with Gateway(cloud.url, bucket, queue.url, port=first.port) as second:
            second.wait_started()
            status, out, err = ended(submitting)
    assert (status, err) == (0, "")
    found = [json.loads(line) for line in out.splitlines()]
    assert [one["result"]["echo"]["n"] for one in found] == list(range(40)) == [one["index"] for one in found]
    assert len({request.header("X-Cortex-Request-ID")[0] for request in container.requests}) == 40


def test_ctrl_c_leaves_the_request_and_says_so(shell: Shell, sidecar: Sidecar, held: Held) -> None:
    submitting = shell.start("submit", "api", "--data", "{}", "--wait")
    assert held.began.wait(DEADLINE_S)
    assert submitting.stderr is not None
    submitted = submitting.stderr.readline()  # the container may have the request before the command has its id
    submitting.send_signal(signal.SIGINT)
    status, out, stopped = ended(submitting)
    request_id = submitted.split()[-1]
    assert (status, out) == (130, "")
    assert f"Request {request_id} goes on: `dequeuer wait api {request_id}` waits again" in stopped
    assert shell.run("wait", "api", request_id, "--timeout", "1")[0] == 8
    held.may_answer.set()
    assert shell.run("wait", "api", request_id)[0] == 0
    assert shell.run("result", "api", request_id) == (0, '{"ok": true}', "")


def test_a_running_request_is_cancelled(shell: Shell, sidecar: Sidecar, held: Held) -> None:
    request_id = shell.run("submit", "api", stdin='{"n": 1}')[1].strip()
    assert held.began.wait(DEADLINE_S)
    assert shell.run("result", "api", request_id)[0] == 1
    following = shell.start("tail", "api", request_id, "--json")
    status, out, _ = shell.run("cancel", "api", request_id)
    assert (status, "(cancelling)" in out) == (0, True)
    status, out, _ = ended(following)
    assert (status, json.loads(out.splitlines()[-1])["error"]["code"]) == (4, "cancelled")
    assert shell.run("wait", "api", request_id)[0] == 4


def test_new_requests_of_an_api_are_shown_as_they_come_and_end(
    shell: Shell, sidecar: Sidecar, container: Container
) -> None:
    container.reply = echo
    first = shell.run("submit", "api", "--data", "1", "--wait")[2].split()[-1]
    tailing = shell.start("tail", "api", "--json")
    assert tailing.stdout is not None
    assert json.loads(tailing.stdout.readline())["id"] == first
    second = shell.run("submit", "api", "--data", "2")[1].strip()
    documents = (json.loads(line) for line in tailing.stdout)
    assert next(one["status"] for one in documents if one["id"] == second and one.get("ended")) == "completed"
    tailing.send_signal(signal.SIGINT)
    assert ended(tailing)[0] == 130


def test_dead_letters_are_sent_back(cloud: Cloud, bucket: Bucket, container: Container, tmp_path: Path) -> None:
    queue = cloud.queue(max_receives=1)
    container.reply = lambda _request: Reply(status=503)
    with (
        Gateway(cloud.url, bucket, queue.url) as gateway,
        Sidecar(async_settings(cloud, queue, bucket, container.port)),
    ):
        gateway.wait_started()
        shell = Shell(gateway, tmp_path)
        request_id = shell.run("submit", "api", "--data", "{}")[1].strip()
        shown = eventually(
            lambda: [line for line in shell.run("dlq", "list", "api")[1].splitlines() if request_id in line],
            "the message to be moved",
        )
        assert shown[0].split()[2:4] == [request_id, "in_queue"]
        container.reply = lambda _request: Reply()
        status, out, _ = shell.run("dlq", "redrive", "api", "--json")
        assert (status, json.loads(out)) == (0, {"moved": 1, "left": 0})
        assert shell.run("wait", "api", request_id)[0] == 0
