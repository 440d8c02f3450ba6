"""What a container wrote down, from its file."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

from tests.history.records import Record

NOTICED_S = 0.5
"""How long a container may take to notice that the sidecar hung up: it was stopped, or busy with the next call."""


class ContainerLog:
    """The records of one container and those that took its place after it was killed."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def _read(self) -> Iterator[Record]:
        if self.file.exists():
            with self.file.open("rb") as lines:
                for line in lines:
                    yield Record(**json.loads(line))

    def close_calls(self, at: float) -> None:
        """Write down that whatever was under way is over: the container is dead."""
        running: dict[str, Record] = {}
        for record in self._read():
            if record.what == "called":
                running[record.call] = record
            elif record.what == "left":
                running.pop(record.call, None)
        with self.file.open("a", encoding="ascii") as lines:
            for record in running.values():
                # Status -1: nobody hung up, the container went away.
                over = replace(record, at=at, what="left", status=-1, whole=False)
                lines.write(json.dumps(asdict(over)) + "\n")

    def records(self) -> Iterator[Record]:
        """Return everything; hang-ups are put a little earlier, when the sidecar may have hung up already."""
        begun: dict[str, float] = {}
        for record in self._read():
            if record.what == "left" and record.status == 0:
                yield replace(record, at=max(begun[record.call], record.at - NOTICED_S))
            else:
                begun[record.call] = record.at
                yield record


def with_sidecars(records: Iterator[Record], caller_of: Callable[[Record], str]) -> Iterator[Record]:
    """Say which sidecar of the pod each call came from: a call ends as whose it began."""
    callers: dict[str, str] = {}
    for record in records:
        if record.call not in callers:
            callers[record.call] = caller_of(record)
        yield replace(record, sidecar=callers[record.call])
