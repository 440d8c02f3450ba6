"""The sidecar touches no file system but for its log, and works on when that is full, broken or closed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.plan import Plan
from tests.faults.servers import Servers
from tests.faults.stage import Stage, staged
from tests.faults.test_sidecar_kills import submit_many
from tests.integration.servers import free_port
from tests.integration.sidecar import ROOT

REQUESTS = 30
NOWHERE = "/proc"
"""A file system in which nobody can create anything, root included."""


@contextmanager
def sidecar(
    settings: Mapping[str, str], where: Mapping[str, str], cwd: str | Path, stdout: int, redirections: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a sidecar that logs to `stdout`; yields the process, and ends it with SIGTERM: it must exit with 0."""
    process = subprocess.Popen(
        ["/bin/sh", "-c", f'exec "$0" -m dequeuer {redirections}', sys.executable],
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            "AWS_EC2_METADATA_DISABLED": "true",
            "DEQUEUER_ADMIN_HOST": "127.0.0.1",
            "DEQUEUER_ADMIN_PORT": str(free_port()),
            **settings,
            **where,
        },
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.STDOUT,
        cwd=cwd,
    )
    try:
        yield process
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait(30)


def check_works(
    stage: Stage, where: Mapping[str, str], cwd: str | Path, stdout: int = subprocess.DEVNULL, redirections: str = ""
) -> None:
    submit_many(stage, REQUESTS)
    pod = stage.add_pod()
    pod.start_container()
    stage.notebook.begins(pod.name)
    with sidecar(pod.settings, where, cwd, stdout, redirections) as process:

        def is_running() -> None:
            assert process.poll() is None, f"it ended with {process.returncode}"

        stage.wait_empty(is_running)
        written = open_for_writing(process.pid)
    verdict = stage.conclude()
    assert verdict.is_clean, [str(violation) for violation in verdict.violations] + verdict.problems
    assert verdict.tally["completed"] == verdict.tally["container calls"] == REQUESTS
    assert written <= {"/dev/full", "/dev/null"}, written


def open_for_writing(pid: int) -> set[str]:
    """Return the files, no sockets or pipes, that a process has open and may write to."""
    found = set()
    for descriptor in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(descriptor.readlink())
            facts = Path(f"/proc/{pid}/fdinfo/{descriptor.name}").read_text(encoding="ascii")
        except FileNotFoundError:
            continue  # closed meanwhile
        flags = int(facts.split("flags:")[1].split()[0], 8)
        if target.startswith("/") and flags & (os.O_WRONLY | os.O_RDWR):
            found.add(target)
    return found


@pytest.fixture
def stage(ministack: Servers, tmp_path: Path) -> Iterator[Stage]:
    with staged(ministack, tmp_path, Plan(4), "async", slots=2) as made:
        yield made


def test_a_full_disk_under_the_log(stage: Stage, tmp_path: Path) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        check_works(stage, {"HOME": str(tmp_path)}, tmp_path, full)
    finally:
        os.close(full)


def test_nobody_reads_the_log_any_more(stage: Stage, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        check_works(stage, {"HOME": str(tmp_path)}, tmp_path, writing)
    finally:
        os.close(writing)


def test_nothing_is_writable_and_there_is_no_home(stage: Stage) -> None:
    nowhere = dict.fromkeys(("TMPDIR", "TEMP", "TMP", "XDG_CACHE_HOME"), NOWHERE)
    check_works(stage, {**nowhere, "HOME": f"{NOWHERE}/no-home"}, NOWHERE)


def test_standard_streams_that_are_closed(stage: Stage, tmp_path: Path) -> None:
    check_works(stage, {"HOME": str(tmp_path)}, tmp_path, redirections="<&- >&- 2>&-")
