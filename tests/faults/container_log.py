"""The records that a container wrote to its file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

from tests.history.records import Record

HANG_UP_DELAY_S = 0.5
"""How long a container may take to notice that the sidecar closed a connection: it was stopped, or busy."""


class ContainerLog:
    """The records of one container, and of the containers that replaced it after a SIGKILL."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def _read(self) -> Iterator[Record]:
        if self.file.exists():
            with self.file.open("rb") as lines:
                for line in lines:
                    yield Record(**json.loads(line))

    def close_calls(self, at: float) -> None:
        """Record the end of all running calls, because the container was killed."""
        running: dict[str, Record] = {}
        for record in self._read():
            if record.what == "called":
                running[record.call] = record
            elif record.what == "left":
                running.pop(record.call, None)
        with self.file.open("a", encoding="ascii") as lines:
            for record in running.values():
                # Status -1: the sidecar did not close the connection, the container was killed.
                over = replace(record, at=at, what="left", status=-1, whole=False)
                lines.write(json.dumps(asdict(over)) + "\n")

    def records(self) -> Iterator[Record]:
        """Return all records. A closed connection gets the earliest time at which the sidecar can have closed it."""
        begun: dict[str, float] = {}
        for record in self._read():
            if record.what == "left" and record.status == 0:
                yield replace(record, at=max(begun[record.call], record.at - HANG_UP_DELAY_S))
            else:
                begun[record.call] = record.at
                yield record


def with_sidecars(records: Iterator[Record], caller_of: Callable[[Record], str]) -> Iterator[Record]:
    """Set the sidecar that made each call. All records of a call have the sidecar of its first record."""
    callers: dict[str, str] = {}
    for record in records:
        if record.call not in callers:
            callers[record.call] = caller_of(record)
        yield replace(record, sidecar=callers[record.call])
