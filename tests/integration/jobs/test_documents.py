"""README and quickstart are followed word for word: what they show is what comes out."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.jobs.dev import Dev
from tests.integration.sidecar import ROOT
from tests.integration.waiting import DEADLINE_S, eventually

GATEWAY = "http://127.0.0.1:8888"
JOB = re.compile(r"\b[0-9a-f]{16}\b")
REQUEST = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")


def section(page: str, heading: str) -> str:
    """Return the text below a heading."""
    text = (ROOT / page).read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2]
    assert text, heading
    return text.partition("\n## ")[0]


def blocks(text: str, language: str = "") -> list[str]:
    """Return the code blocks of a language."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return [block for its_language, block in found if its_language == language]


class Terminal:
    """A clone of the repository in which a page is followed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.job = self.request = ""
        self._gateway = GATEWAY
        (folder / "examples").symlink_to(ROOT / "examples")
        program = folder / ".venv/bin/dequeuer"
        program.parent.mkdir(parents=True)
        program.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m dequeuer "$@"\n')
        program.chmod(0o755)

    def start(self, line: str) -> Dev:
        """Type a line that runs until Ctrl-C."""
        program, command, *arguments = shlex.split(line)
        assert (program, command) == (".venv/bin/dequeuer", "dev")
        dev = Dev(arguments, self.folder)
        self._gateway = f"http://127.0.0.1:{dev.port}"
        return dev

    def type(self, line: str) -> list[str]:
        """Type a line, with the ids of this run; return what it prints."""
        line = line.replace(GATEWAY, self._gateway)
        line = JOB.sub(self.job, REQUEST.sub(self.request, line))
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
        printed = done.stdout.splitlines()
        self.job = self.job or next(iter(JOB.findall(done.stdout)), "")
        self.request = self.request or next(iter(REQUEST.findall(done.stdout)), "")
        return printed


def settled(lines: list[str]) -> list[str]:
    """Return the lines without what differs from run to run: ids, times, and how often a job was looked at."""
    text = "\n".join(line for line in lines if not re.search(r"Z  (pending|enqueuing|running)", line))
    text = re.sub(r'"started":"[^"]*",', "", text)  # of work that took longer than a second
    for pattern in (
        JOB,
        REQUEST,
        re.compile(r"\d\d:\d\d:\d\dZ"),
        re.compile(r"\d{4}-\d\d-\d\dT"),
        re.compile(r"took \d+:\d\d"),
    ):
        text = pattern.sub("_", text)
    return text.splitlines()


def examples(block: str) -> Iterator[tuple[str, list[str]]]:
    """Yield the lines that are typed (after `$`), each with what follows it."""
    for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
        line, *printed = part.splitlines()
        yield line, printed


@pytest.fixture
def terminal(tmp_path: Path) -> Terminal:
    return Terminal(tmp_path)


def test_the_job_of_the_readme_takes_three_commands(terminal: Terminal) -> None:
    first, others, shown = blocks(section("README.md", "A job in three commands"))
    with terminal.start(first) as dev:
        dev.wait_ready()
        printed = [line for command in others.splitlines() for line in terminal.type(command)]
    assert len(others.splitlines()) == 2
    assert settled(printed) == settled(shown.splitlines())


def test_the_apis_of_the_quickstart_run_as_the_page_says(terminal: Terminal) -> None:
    server = blocks(section("docs/quickstart.md", "2. Use your own server"), "python")[0]
    page = section("docs/quickstart.md", "6. Run the APIs of a cortex.yaml")
    (terminal.folder / "server.py").write_text(server)
    (terminal.folder / "cortex.yaml").write_text(blocks(page, "yaml")[0])
    first, ready, *others = blocks(page)
    with terminal.start(first) as dev:
        dev.wait_ready()
        for line in ready.splitlines():
            assert line.replace(GATEWAY, f"http://127.0.0.1:{dev.port}") in dev.lines
        for line, shown in (example for block in others for example in examples(block)):
            wanted = settled(shown)
            if "-X POST" in line or "submit" in line:
                assert settled(terminal.type(line)) == wanted
            else:  # a person who types is slower than a request takes
                eventually(lambda line=line, wanted=wanted: settled(terminal.type(line)) == wanted, line)  # type: ignore[misc]  # a closure
