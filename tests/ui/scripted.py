"""A gateway without sockets, for virtual time: what it answers is a table, and what it was asked is a list."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dequeuer.ui.link import json_value
from dequeuer.ui.readings import Reading


class ScriptedLink:
    """An `Asks`. `answers`: by path; an exception is raised. `slow_s`: what each call takes."""

    def __init__(self, **answers: Any) -> None:
        self.answers: dict[str, Any] = {}
        self.asked: Counter[str] = Counter()
        self.links: dict[str, str] = {}
        self.slow_s = 0.0

    async def fields(self, path: str, query: Mapping[str, str] = {}, /) -> dict[str, Any]:
        value = json_value((await self.read_with_link("GET", path, query))[0])
        assert isinstance(value, dict)
        return value

    async def read_with_link(self, method: str, path: str, query: Mapping[str, str] = {}, /) -> tuple[bytes, str]:
        assert method == "GET"
        self.asked[path] += 1
        await asyncio.sleep(self.slow_s)
        answer = self.answers[path]
        if isinstance(answer, Exception):
            raise answer
        return json.dumps(answer).encode(), self.links.get(path, "")


class ScriptedMetrics:
    """A `Metrics`. `make`: returns what is read, by address, by API."""

    def __init__(self) -> None:
        self.faults: Sequence[str] = ()
        self.make: Callable[[], Mapping[str, Mapping[str, Reading]]] = dict
        self.reads = 0

    async def read(self) -> Mapping[str, Mapping[str, Reading]]:
        self.reads += 1
        return self.make()


def apis(*listed: tuple[str, str]) -> dict[str, Any]:
    """Return the list of APIs of a gateway, of names and kinds; the endpoint of each is its name."""
    return {"apis": [{"name": name, "kind": kind, "endpoint": f"/{name}"} for name, kind in listed]}


def parsed(data: bytes) -> list[tuple[str, Any]]:
    """Return the events in the bytes of a stream, by name; comments are left out."""
    found = []
    for block in data.decode().split("\n\n"):
        lines = dict(line.partition(": ")[::2] for line in block.splitlines() if not line.startswith(":"))
        if lines:
            found.append((lines["event"], json.loads(lines["data"])))
    return found
