"""Child processes: started with nothing of this one's environment, ended by their own id."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).resolve().parents[1]
T = TypeVar("T")


class BenchError(Exception):
    """The measurement cannot go on; the text is for a person."""


@contextmanager
def child(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None, stdout: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process until the end of the block. What it writes goes to `log`, as a pod's output goes to a file."""
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own programs, and nginx from PATH
            command,
            env={"PATH": os.environ["PATH"], "HOME": str(log.parent), "PYTHONPATH": str(ROOT), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output if stdout is None else stdout,
            stderr=output if stdout is not None else subprocess.STDOUT,
            cwd=log.parent,
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def stop(process: subprocess.Popen[bytes], grace_s: float = 10.0) -> None:
    """End a process with SIGTERM; it is killed at the end of its block when it does not care."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(grace_s)
    except subprocess.TimeoutExpired:
        return


def wait_for(look: Callable[[], T | None], what: str, process: subprocess.Popen[bytes], log: Path, limit_s: float) -> T:
    """Look again and again until there is something.

    Raises:
        BenchError: the process has ended, or the time is over.
    """
    until = time.monotonic() + limit_s
    while True:
        found = look()
        if found is not None:
            return found
        if process.poll() is not None:
            raise BenchError(f"waiting for {what}: the process ended with {process.returncode}:\n{tail(log)}")
        if time.monotonic() > until:
            raise BenchError(f"waiting for {what}: nothing within {limit_s:.0f} s; the log ends with:\n{tail(log)}")
        time.sleep(0.02)


def tail(log: Path, size: int = 2000) -> str:
    """Return the end of a log."""
    return log.read_text(encoding="utf-8", errors="replace")[-size:]
