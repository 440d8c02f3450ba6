"""Which fault meets which request: drawn from a seed, by rates, and from windows that others open and close."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from tests.faults.wire_formats import Service

Kind = Literal["delay", "reset", "black hole", "cut", "500", "503 SlowDown", "throttled", "away"]
WEIGHTS: dict[Kind, int] = {
    "delay": 8,
    "reset": 4,
    "black hole": 1,
    "cut": 3,
    "500": 4,
    "503 SlowDown": 2,
    "throttled": 2,
}
BEFORE_ONLY: frozenset[Kind] = frozenset({"503 SlowDown", "throttled", "away"})
LONGEST_DELAY_S = 1.0
CHANGES = ("DeleteMessageBatch", "ChangeMessageVisibilityBatch", "PUT", "DELETE")
"""Requests whose answer matters most; they are hit more often."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault. `after`: the server has done the work, and the sidecar does not learn of it."""

    kind: Kind
    after: bool = False
    seconds: float = 0.0


class Plan:
    """Decides for each request. Asked by the proxy's thread, steered by the test's.

    Args:
        seed: of everything that is drawn.
        rate: share of the requests that meet a fault by chance; changes meet twice as many.
    """

    def __init__(self, seed: int, rate: float = 0.0) -> None:
        self._random = random.Random(f"plan-{seed}")
        self._rate = rate
        self._away_until: dict[Service, float] = {}
        self._throttled_until: dict[str, float] = {}
        self.counts: Counter[str] = Counter()

    def away(self, service: Service, seconds: float) -> None:
        """Reset every connection to a service for a time."""
        self._away_until[service] = time.monotonic() + seconds

    def throttle(self, op: str, seconds: float) -> None:
        """Refuse an operation for a time."""
        self._throttled_until[op] = time.monotonic() + seconds

    def calm(self) -> None:
        """No faults from now on."""
        self._rate = 0.0
        self._away_until.clear()
        self._throttled_until.clear()

    def draw(self, service: Service, op: str) -> Fault | None:
        """Decide on one request."""
        fault = self._drawn(service, op)
        if fault is not None:
            self.counts[fault.kind + (", after the effect" if fault.after else "")] += 1
        return fault

    def _drawn(self, service: Service, op: str) -> Fault | None:
        now = time.monotonic()
        if now < self._away_until.get(service, 0):
            return Fault(kind="away")
        if now < self._throttled_until.get(op, 0):
            return Fault(kind="throttled" if service == "sqs" else "503 SlowDown")
        if self._random.random() >= self._rate * (2 if op in CHANGES else 1):
            return None
        [kind] = self._random.choices(list(WEIGHTS), list(WEIGHTS.values()))
        if kind in {"throttled", "503 SlowDown"}:
            kind = "throttled" if service == "sqs" else "503 SlowDown"
        # Half an answer comes from a server that has done its work.
        after = kind == "cut" or (kind not in BEFORE_ONLY and self._random.random() < 0.5)
        return Fault(kind=kind, after=after, seconds=self._random.uniform(0.02, LONGEST_DELAY_S))
