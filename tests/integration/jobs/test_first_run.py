"""The first command of README and quickstart, as it is, in a clone; with a terminal and without one."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import threading
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from tests.integration.jobs.dev import Dev, Traces
from tests.integration.jobs.pages import Block, difference, sections, settled
from tests.integration.sidecar import ROOT
from tests.integration.waiting import DEADLINE_S, eventually

COPIED = ("README.md", "constraints.txt", "pyproject.toml", "dequeuer", "examples", "scripts")


class Terminal:
    """A terminal in which one line is typed, in an empty folder with a clone.

    What pip would download is there already: the packages of this Python, in the versions of constraints.txt. It finds them by
    PYTHONPATH, builds the project and installs it, and downloads nothing.
    """

    def __init__(self, folder: Path, line: str) -> None:
        for name in COPIED:
            source = ROOT / name
            if source.is_file():
                shutil.copy(source, folder)
            else:
                shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
        self._traces = Traces(folder)
        programs = folder / "programs"
        programs.mkdir()
        (programs / "python3").symlink_to(Path(sys.base_prefix) / f"bin/python3.{sys.version_info.minor}")
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("DEQUEUER_", "PIP_"))},
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": sysconfig.get_path("purelib"),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_DISABLE_PIP_VERSION_CHECK": "1",
            "PIP_NO_BUILD_ISOLATION": "0",  # pip reads it as "build isolation: 0"
            "PIP_NO_INDEX": "1",
            "TERM": "dumb",  # plain lines, as in the page
            "TMPDIR": str(self._traces.temporary),
        }
        self.lines: list[str] = []
        self._keyboard, self._screen = os.openpty()
        # The first terminal that a new session opens is its own: Ctrl-C reaches its processes. `trap`: the shell of a
        # person is not ended by it.
        script = f'exec <"$0" >"$0" 2>&1\ntrap : INT\n{line}\nexit $?'
        self.process = subprocess.Popen(
            ["sh", "-c", script, os.ttyname(self._screen)],  # noqa: S607 - as a person types it
            cwd=folder,
            env=environment,
            start_new_session=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for pid in self._traces.processes():  # what a failed test leaves
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.kill()
        self.process.wait(DEADLINE_S)
        os.close(self._screen)
        self._reader.join(DEADLINE_S)
        os.close(self._keyboard)

    def _read(self) -> None:
        rest = b""
        with suppress(OSError):  # every process has closed the terminal
            while data := os.read(self._keyboard, 65536):
                *lines, rest = (rest + data).split(b"\n")
                self.lines.extend(line.decode().rstrip("\r") for line in lines)

    def wait_printed(self, block: Block) -> None:
        """Wait until what a page shows was printed, and nothing else."""
        eventually(
            lambda: self.process.poll() is not None or settled(block.lines)[-1] in settled(self.lines),
            "the last line",
            150.0,
        )
        assert difference(block.lines, self.lines) == "", self.lines

    def pid_of(self, program: str) -> int:
        """Return the process that runs a program of the demo."""
        (pid,) = (pid for pid, command in self._traces.processes().items() if program in command)
        return pid

    def press_ctrl_c(self) -> int:
        """End what runs; return its exit status. Nothing of it is left."""
        os.write(self._keyboard, b"\x03")
        status = self.process.wait(DEADLINE_S)
        self._traces.wait_gone()
        return status


class Page:
    """What a browser gets. `url`: the address of the last line."""

    def __init__(self, url: str) -> None:
        self._url = url

    def ask(self, path: str) -> Any:
        with urllib.request.urlopen(f"{self._url}api/{path}", timeout=DEADLINE_S) as answer:  # noqa: S310 - loopback
            return json.load(answer)

    def is_there(self) -> bool:
        with suppress(OSError):
            return bool(self.ask("apis"))
        return False

    def requests(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.ask("apis/text/requests")["requests"]
        return found


def test_it_shows_an_api_of_each_kind_and_stays_until_ctrl_c(tmp_path: Path) -> None:
    command, shown = sections("docs/quickstart.md")["1. See it run"]
    same_command, excerpt, _ = sections("README.md")["Try it"]
    assert command.text == same_command.text
    with Terminal(tmp_path, command.text) as terminal:
        terminal.wait_printed(shown)
        assert difference(excerpt.lines, terminal.lines) == ""
        page = Page(terminal.lines[-1].removeprefix("page: "))
        assert {api["name"]: api["kind"] for api in page.ask("apis")["apis"]} == {
            "hello": "RealtimeAPI",
            "text": "AsyncAPI",
            "items": "BatchAPI",
        }
        failed = [one for one in page.requests() if one["status"] == "failed"]
        assert [len(page.ask(f"apis/text/requests/{one['id']}")["attempts"]) for one in failed] == [5]
        (job,) = page.ask("apis/items/jobs")["jobs"]
        items = page.ask(f"apis/items/jobs/{job['job_id']}/items")["items"]
        assert [item["state"] for item in items] == ["completed", "completed", "failed", *["completed"] * 6]
        eventually(lambda: len(page.requests()) > 4, "more requests than the samples and the first one after them")
        os.kill(terminal.pid_of("dequeuer ui"), signal.SIGKILL)
        eventually(page.is_there, "the page to be started again")
        assert terminal.press_ctrl_c() == 0


def test_without_a_terminal_it_ends_by_itself(tmp_path: Path) -> None:
    with Dev(["--demo"], tmp_path) as dev:
        assert dev.wait() == 0, dev.lines
    *_, result, page = dev.lines
    assert result == "all of it as it should be"
    assert re.fullmatch(r"page: http://127\.0\.0\.1:\d+/ \(it ends now; --stay keeps it until Ctrl-C\)", page)
