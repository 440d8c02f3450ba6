"""The sidecar writes no files except its log, and continues when the log is on a full disk, broken or closed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.request_faults import RequestFaults
from tests.faults.servers import Servers
from tests.faults.stage import Stage, staged
from tests.faults.test_sidecar_kills import submit_many
from tests.integration.servers import free_port
from tests.integration.sidecar import ROOT

REQUESTS = 30
READ_ONLY_FOLDER = "/proc"
"""A file system in which no user can create files, not even root."""


@contextmanager
def sidecar(
    settings: Mapping[str, str], where: Mapping[str, str], cwd: str | Path, stdout: int, redirections: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a sidecar that logs to `stdout`, and yield the process. It is ended with SIGTERM, and must exit with 0."""
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


def check_sidecar_works(
    stage: Stage, where: Mapping[str, str], cwd: str | Path, stdout: int = subprocess.DEVNULL, redirections: str = ""
) -> None:
    submit_many(stage, REQUESTS)
    pod = stage.add_pod()
    pod.start_container()
    stage.recorder.sidecar_started(pod.name)
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
    """Return the open files of a process that it may write to, without sockets and pipes."""
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
    with staged(ministack, tmp_path, RequestFaults(4), "async", slots=2) as made:
        yield made


def test_it_works_when_the_disk_of_the_log_is_full(stage: Stage, tmp_path: Path) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    try:
        check_sidecar_works(stage, {"HOME": str(tmp_path)}, tmp_path, full)
    finally:
        os.close(full)


def test_it_works_when_the_reader_of_the_log_has_ended(stage: Stage, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        check_sidecar_works(stage, {"HOME": str(tmp_path)}, tmp_path, writing)
    finally:
        os.close(writing)


def test_it_works_without_a_writable_folder_and_without_a_home(stage: Stage) -> None:
    folders = dict.fromkeys(("TMPDIR", "TEMP", "TMP", "XDG_CACHE_HOME"), READ_ONLY_FOLDER)
    check_sidecar_works(stage, {**folders, "HOME": f"{READ_ONLY_FOLDER}/no-home"}, READ_ONLY_FOLDER)


def test_it_works_with_closed_standard_streams(stage: Stage, tmp_path: Path) -> None:
    check_sidecar_works(stage, {"HOME": str(tmp_path)}, tmp_path, redirections="<&- >&- 2>&-")
