"""The watchdog, with real processes that `dequeuer dev` could leave behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from dequeuer.dev.run_folder import MARKER, open_run_folder
from tests.process.test_child_process import is_alive

STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('runs', flush=True); time.sleep(600)"
)
RUN = f"""
import os, subprocess, sys
from dequeuer.dev.run_folder import MARKER, open_run_folder
with open_run_folder() as run:
    child = subprocess.Popen(
        [sys.executable, "-c", {STUBBORN!r}],
        env={{**os.environ, MARKER: run.run_id}}, stdout=subprocess.PIPE, start_new_session=True)
    child.stdout.readline()
    (run.path / "file").touch()
    print(child.pid, run.path, flush=True)
    sys.stdin.read()
    os._exit(0) if "crash" in sys.argv else None
"""
DEADLINE_S = 30


def until_gone(pid: int, folder: Path) -> None:
    ends = time.monotonic() + DEADLINE_S
    while is_alive(pid) or folder.exists():
        if time.monotonic() > ends:
            state = (is_alive(pid), folder.exists())
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)  # the test fails; it leaves nothing behind itself
            raise AssertionError(state)
        time.sleep(0.05)


@pytest.fixture
def bystander() -> Iterator[subprocess.Popen[bytes]]:
    """A process of another run."""
    process = subprocess.Popen([sys.executable, "-c", STUBBORN], env={**os.environ, MARKER: "other"})
    yield process
    process.kill()
    process.wait()


def start(*arguments: str) -> tuple[subprocess.Popen[str], int, Path]:
    process = subprocess.Popen(
        [sys.executable, "-c", RUN, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    pid, folder = process.stdout.readline().split()
    return process, int(pid), Path(folder)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_after_a_signal_nothing_runs_and_no_file_is_left(
    number: signal.Signals, bystander: subprocess.Popen[bytes]
) -> None:
    process, pid, folder = start()
    process.send_signal(number)
    process.communicate()
    until_gone(pid, folder)
    assert bystander.poll() is None


def test_after_a_crash_nothing_runs_and_no_file_is_left() -> None:
    process, pid, folder = start("crash")
    process.communicate()
    until_gone(pid, folder)


def test_at_the_end_of_the_context_nothing_runs_and_no_file_is_left() -> None:
    process, pid, folder = start()
    process.communicate()
    assert process.returncode == 0
    assert not is_alive(pid)
    assert not folder.exists()


def watchdog_of(run_id: str) -> int:
    """Return its process id, once it has its command line."""
    ends = time.monotonic() + DEADLINE_S
    while time.monotonic() < ends:
        for entry in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if f"{MARKER}={run_id}".encode() in (entry / "cmdline").read_bytes():
                    return int(entry.name)
        time.sleep(0.01)
    raise AssertionError("there is no watchdog")


def test_without_its_watchdog_no_file_is_left_all_the_same() -> None:
    with open_run_folder() as run:
        os.kill(watchdog_of(run.run_id), signal.SIGKILL)
    assert not run.path.exists()
