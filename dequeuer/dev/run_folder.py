"""The folder of one run, and the watchdog that cleans up behind it."""

from __future__ import annotations

import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dequeuer.dev import watchdog

MARKER = "RUN_OF_DEQUEUER_DEV"
"""A variable in the environment of every process of a run: the watchdog knows them by it."""
_ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFolder:
    """What a run has for itself.

    Attributes:
        path: a folder, which is deleted at the end.
        run_id: the value of `MARKER`.
    """

    path: Path
    run_id: str


@contextmanager
def open_run_folder() -> Iterator[RunFolder]:
    """Make the folder; at the end of the context delete it, and end every process with the marker.

    The watchdog does both even when this process is killed.
    """
    run_id = secrets.token_hex(16)
    # A signal ends this process at once until the supervisor handles it: then the watchdog deletes the folder.
    unblocked = signal.pthread_sigmask(signal.SIG_BLOCK, _ENDS)
    try:
        folder = tempfile.mkdtemp(prefix="dequeuer-dev-")
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", str(Path(watchdog.__file__)), f"{MARKER}={run_id}", folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env={},
            start_new_session=True,  # Ctrl-C in the terminal, or the end of the terminal, must not reach it
        )
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, unblocked)
    try:
        yield RunFolder(path=Path(folder), run_id=run_id)
    finally:
        with suppress(BrokenPipeError):  # somebody killed the watchdog
            process.communicate(watchdog.OVER)
        shutil.rmtree(folder, ignore_errors=True)
