"""The servers of a run, with their process ids, which are needed to stop them."""

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
    """A server process. It is stopped and resumed, never killed, because it keeps its data in memory."""

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
    """The servers of the queue and of the objects."""

    sqs: Cloud
    s3: Cloud
    processes: list[Process]

    @property
    def upstreams(self) -> dict[Service, str]:
        """The URL of each service."""
        return {"sqs": self.sqs.url, "s3": self.s3.url}


@contextmanager
def servers(name: str, folder: Path) -> Iterator[Servers]:
    """Run `ministack`, or `fauxqs` for the queue and ministack for the objects.

    fauxqs is not used for the objects, because its conditional write overwrites an existing object: with two deliveries
    of a request at the same time the result would change, without a fault of the sidecar.
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
    # When a test fails while the server is stopped, the server could not end in time.
    stack.callback(process.resume)
    return Cloud(name, url), process


def _children() -> set[int]:
    found: set[int] = set()
    for file in Path("/proc/self/task").glob("*/children"):
        with suppress(FileNotFoundError, ProcessLookupError):  # the thread has ended
            found |= {int(pid) for pid in file.read_text(encoding="ascii").split()}
    return found
