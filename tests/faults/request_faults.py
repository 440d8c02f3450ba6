"""Decides which request gets which fault: at random from a seed, and during outages and throttling."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass
from typing import Literal

from tests.faults.wire_formats import Service

Kind = Literal["delay", "reset", "black hole", "cut", "500", "503 SlowDown", "throttled", "outage"]
WEIGHTS: dict[Kind, int] = {
    "delay": 8,
    "reset": 4,
    "black hole": 1,
    "cut": 3,
    "500": 4,
    "503 SlowDown": 2,
    "throttled": 2,
}
BEFORE_ONLY: frozenset[Kind] = frozenset({"503 SlowDown", "throttled", "outage"})
LONGEST_DELAY_S = 1.0
STATE_CHANGES = ("DeleteMessageBatch", "ChangeMessageVisibilityBatch", "PUT", "DELETE")
"""Requests that change a state get faults twice as often, because a lost response to them is the hardest case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One fault. `after`: the request has its effect at the server, but the sidecar gets no successful response."""

    kind: Kind
    after: bool = False
    seconds: float = 0.0


class RequestFaults:
    """Decides for each request. The thread of the proxy calls `draw`, the thread of the test all other methods.

    Args:
        seed: of the random decisions.
        rate: the share of requests with a random fault; for `STATE_CHANGES` the share is twice as large.
    """

    def __init__(self, seed: int, rate: float = 0.0) -> None:
        self._random = random.Random(f"request_faults-{seed}")
        self._rate = rate
        self._outage_until: dict[Service, float] = {}
        self._throttled_until: dict[str, float] = {}
        self.counts: Counter[str] = Counter()

    def start_outage(self, service: Service, seconds: float) -> None:
        """Reset every connection to a service for `seconds`."""
        self._outage_until[service] = time.monotonic() + seconds

    def throttle(self, op: str, seconds: float) -> None:
        """Throttle an operation for `seconds`."""
        self._throttled_until[op] = time.monotonic() + seconds

    def clear(self) -> None:
        """End all faults."""
        self._rate = 0.0
        self._outage_until.clear()
        self._throttled_until.clear()

    def draw(self, service: Service, op: str) -> Fault | None:
        """Decide on one request."""
        fault = self._choose(service, op)
        if fault is not None:
            self.counts[fault.kind + (", after the effect" if fault.after else "")] += 1
        return fault

    def _choose(self, service: Service, op: str) -> Fault | None:
        now = time.monotonic()
        if now < self._outage_until.get(service, 0):
            return Fault(kind="outage")
        if now < self._throttled_until.get(op, 0):
            return Fault(kind="throttled" if service == "sqs" else "503 SlowDown")
        if self._random.random() >= self._rate * (2 if op in STATE_CHANGES else 1):
            return None
        [kind] = self._random.choices(list(WEIGHTS), list(WEIGHTS.values()))
        if kind in {"throttled", "503 SlowDown"}:
            kind = "throttled" if service == "sqs" else "503 SlowDown"
        # A partial response means that the request had its effect.
        after = kind == "cut" or (kind not in BEFORE_ONLY and self._random.random() < 0.5)
        return Fault(kind=kind, after=after, seconds=self._random.uniform(0.02, LONGEST_DELAY_S))
