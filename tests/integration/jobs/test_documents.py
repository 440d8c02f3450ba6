"""README and quickstart are followed word for word: what they show is what comes out."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.integration.jobs.dev import Dev
from tests.integration.jobs.pages import JOB, REQUEST, Block, difference, examples, sections
from tests.integration.sidecar import ROOT
from tests.integration.waiting import DEADLINE_S, eventually

GATEWAY = "http://127.0.0.1:8888"
QUICKSTART = "docs/quickstart.md"
INSTALLATION = "1. See it run"
"""It is followed in `test_first_run.py`."""
NOT_FOLLOWED = {"4. Deploy it": "needs a cluster, a registry of images and an AWS account"}

needs_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl (Debian: curl)")


class Terminal:
    """A clone of the repository, after the installation, in which a page is followed."""

    def __init__(self, folder: Path, running: ExitStack) -> None:
        self.folder = folder
        self.job = self.request = ""
        self.dev: Dev | None = None
        self._running = running
        self._printed: list[str] = []
        (folder / "examples").symlink_to(ROOT / "examples")
        program = folder / ".venv/bin/dequeuer"
        program.parent.mkdir(parents=True)
        program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m dequeuer "$@"\n')
        program.chmod(0o755)

    def follow(self, block: Block) -> None:
        """Do what a block says: write the file, type the lines, or compare what they have printed."""
        if block.language:
            (self.folder / re.findall(r"`(\w+\.(?:py|yaml))`", block.before)[-1]).write_text(block.text)
        elif block.text.startswith("$ "):
            for line, shown in examples(block):
                self._expect(line, shown)
        elif block.text.startswith(".venv/bin/"):
            self._printed = [printed for line in block.lines for printed in self.type(line)]
        elif self.dev is not None and not self._printed:
            self._wait_printed(self.dev, block)
        else:
            assert difference(block.lines, self._printed) == ""

    def type(self, line: str) -> list[str]:
        """Type a line, with the ids of this run; return what it prints, nothing when it runs until Ctrl-C."""
        program, command, *arguments = shlex.split(line)
        if (program, command) == (".venv/bin/dequeuer", "dev") and "--once" not in arguments:
            self.dev = self._running.enter_context(Dev(arguments, self.folder))
            return []
        gateway = GATEWAY if self.dev is None else f"http://127.0.0.1:{self.dev.port}"
        line = JOB.sub(self.job, REQUEST.sub(self.request, line.replace(GATEWAY, gateway)))
        done = subprocess.run(
            ["sh", "-c", line],  # noqa: S607 - as a person types it
            cwd=self.folder,
            env={name: value for name, value in os.environ.items() if not name.startswith("DEQUEUER_")},
            capture_output=True,
            text=True,
            timeout=DEADLINE_S,
            check=False,
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        self.job = next(iter(JOB.findall(done.stdout)), self.job)
        self.request = next(iter(REQUEST.findall(done.stdout)), self.request)
        return done.stdout.splitlines()

    def _expect(self, line: str, shown: list[str]) -> None:
        if "-X POST" in line or "submit" in line:
            assert difference(shown, self.type(line)) == ""
        else:  # a person who types is slower than a request takes
            eventually(lambda: difference(shown, self.type(line)) == "", line)

    def _wait_printed(self, dev: Dev, block: Block) -> None:
        last = block.lines[-1].partition(": ")[0]
        dev.wait_line(f"^{last}")
        eventually(lambda: difference([*block.lines, "..."], [*dev.lines]) == "", f"{block.text} in {dev.lines}")


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    with ExitStack() as running:
        yield Terminal(tmp_path, running)


def test_the_job_of_the_readme_takes_three_commands(terminal: Terminal) -> None:
    first, others, shown = sections("README.md")["A job in three commands"]
    terminal.follow(first)
    assert terminal.dev is not None
    terminal.dev.wait_ready()
    terminal.follow(others)
    terminal.follow(shown)
    assert len(others.lines) == 2


@needs_curl
def test_the_quickstart_is_followed_word_for_word(terminal: Terminal) -> None:
    page = sections(QUICKSTART)
    followed = [heading for heading in page if heading != INSTALLATION and heading not in NOT_FOLLOWED]
    assert [INSTALLATION, *followed, *NOT_FOLLOWED] == [*page]
    for heading in followed:
        for block in page[heading]:
            terminal.follow(block)
    assert terminal.dev is not None
    terminal.dev.send(signal.SIGINT)
    assert terminal.dev.wait() == 0
    assert not any(page[heading] for heading in NOT_FOLLOWED)
