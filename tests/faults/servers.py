"""The servers of a run, with the process ids that it takes to stop them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.faults.wire_formats import Service
from tests.integration.cloud import Cloud
from tests.integration.servers import SERVERS


class Process:
    """A server process. It is stopped and let go on, never killed: it keeps everything in memory."""

    def __init__(self, pid: int) -> None:
        self._pid = pid

    def stop(self) -> None:
        """Send SIGSTOP."""
        os.kill(self._pid, signal.SIGSTOP)

    def resume(self) -> None:
        """Send SIGCONT."""
        os.kill(self._pid, signal.SIGCONT)


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """Who serves the queue, and who the objects."""

    sqs: Cloud
    s3: Cloud
    processes: list[Process]

    @property
    def upstreams(self) -> dict[Service, str]:
        """Where each service is."""
        return {"sqs": self.sqs.url, "s3": self.s3.url}


@contextmanager
def servers(name: str, folder: Path) -> Iterator[Servers]:
    """Run `ministack`, or `fauxqs` for the queue and ministack for the objects.

    The conditional write of fauxqs overwrites what is there: two deliveries of a request that cross would change
    its result, and the sidecar is not to blame.
    """
    with ExitStack() as stack:
        s3, process = _start(stack, "ministack", folder)
        if name == "ministack":
            yield Servers(sqs=s3, s3=s3, processes=[process])
            return
        sqs, other = _start(stack, name, folder)
        yield Servers(sqs=sqs, s3=s3, processes=[process, other])


def _start(stack: ExitStack, name: str, folder: Path) -> tuple[Cloud, Process]:
    before = _children()
    url = stack.enter_context(SERVERS[name](folder))
    [pid] = _children() - before
    process = Process(pid)
    # A server that is still stopped when a test fails would not even die in time.
    stack.callback(process.resume)
    return Cloud(name, url), process


def _children() -> set[int]:
    found: set[int] = set()
    for file in Path("/proc/self/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # a thread that has ended
            found |= {int(pid) for pid in file.read_text(encoding="ascii").split()}
    return found
