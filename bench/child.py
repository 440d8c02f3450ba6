"""Child processes. They do not inherit the environment, and are ended by their process id."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

ROOT = Path(__file__).resolve().parents[1]
T = TypeVar("T")
START_LIMIT_S = 30.0


class BenchError(Exception):
    """The measurement cannot continue. The text is shown to the user."""


@contextmanager
def child(
    command: Sequence[str], log: Path, environment: Mapping[str, str] | None = None, stdout: int | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a process until the end of the block. Its output is written to `log`, as the output of a pod is."""
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
    """Send SIGTERM and wait. A process that ignores it is killed at the end of its block."""
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(grace_s)
    except subprocess.TimeoutExpired:
        return


def wait_for(look: Callable[[], T | None], what: str, process: subprocess.Popen[bytes], log: Path, limit_s: float) -> T:
    """Call `look` repeatedly until it returns a value other than None.

    Raises:
        BenchError: the process has ended, or `limit_s` is over.
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


def wait_until_listening(port: int, what: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Wait until a port of 127.0.0.1 accepts connections. Raises `BenchError`."""

    def look() -> bool | None:
        try:
            socket.create_connection(("127.0.0.1", port), 5).close()
        except OSError:
            return None
        return True

    wait_for(look, what, process, log, START_LIMIT_S)


def tail(log: Path, size: int = 2000) -> str:
    """Return the last `size` characters of a log."""
    return log.read_text(encoding="utf-8", errors="replace")[-size:]
