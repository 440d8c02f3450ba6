"""The processes of jobs: children of the controller, which `dequeuer dev` did not start itself (Linux only)."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from dequeuer.core.errors import clip
from dequeuer.process.proc_stat import parent_of


@dataclass(frozen=True, slots=True, kw_only=True)
class JobProcess:
    """A process of a job.

    Attributes:
        pid: its id.
        name: for people.
    """

    pid: int
    name: str


def job_processes(controller_pid: int) -> list[JobProcess]:
    """Return the children of the controller, the oldest first. Empty where `/proc` is not, or cannot be read now."""
    return sorted(_children(controller_pid), key=lambda found: found.pid)


def kill(process: JobProcess, controller_pid: int) -> bool:
    """Send SIGKILL; return whether it was still a child of the controller."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:
        return False
    try:
        if parent_of(Path(f"/proc/{process.pid}")) != controller_pid:
            return False
        with suppress(ProcessLookupError, PermissionError):
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            return True
        return False
    finally:
        os.close(descriptor)


def _children(controller_pid: int) -> Iterator[JobProcess]:
    try:
        folders = list(Path("/proc").glob("[0-9]*"))
    except OSError:  # no more open files
        return
    for folder in folders:
        if parent_of(folder) != controller_pid:
            continue
        try:
            command = (folder / "cmdline").read_bytes()
            environment = (folder / "environ").read_bytes()
        except OSError:
            continue
        if command:  # it has not ended
            yield JobProcess(pid=int(folder.name), name=_name(command, environment))


def _name(command: bytes, environment: bytes) -> str:
    words = command.rstrip(b"\0").split(b"\0")
    if b"enqueue" in words and b"-jobID" in words:
        return "the enqueuer of a job"
    if any(entry.startswith(b"DEQUEUER_WORKER_ID=") for entry in environment.split(b"\0")):
        return "the sidecar of a job"
    # Without its arguments, which may hold secrets.
    return f"a container of a job ({clip(Path(words[0].decode(errors='replace')).name, 60)})"
