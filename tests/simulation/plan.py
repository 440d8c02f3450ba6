"""What a world is made of; drawn by chance, or given by a test."""

from __future__ import annotations

import random
from dataclasses import dataclass

from dequeuer.worker.lease import poll_wait_s
from tests.simulation.sidecar import Kind, Shape
from tests.simulation.weather import Weather, storm


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What one world is made of.

    Attributes:
        lives: messages to submit.
        weather: what goes wrong with single requests.
        shape: how its sidecars are set.
        sidecars: how many work at a time.
        max_receives: of the redrive policy; None: there is none.
        pace_s: mean time between two messages.
        blows: how many things happen to whole processes and servers.
    """

    lives: int
    weather: Weather
    shape: Shape
    sidecars: int = 1
    max_receives: int | None = None
    pace_s: float = 0.0
    blows: int = 0


def draw(lives: int, kind: Kind | None) -> Plan:
    """Draw a plan."""
    kind = kind or ("batch" if random.random() < 0.3 else "async")
    lease_s = random.choice([2, 5, 30, 120])
    weather = storm()
    slots = random.choice([1, 2, 8, 30])
    return Plan(
        lives=lives,
        weather=weather,
        shape=Shape(
            kind=kind,
            slots=slots,
            lease_s=lease_s,
            grace_s=random.choice([5.0, 55.0]),
            poll_wait_s=poll_wait_s(random.choice([1, 10, 20]), lease_s),
            request_timeout_s=random.choice([30.0, 3600.0]),
            finds_slots=random.random() < 0.3,
            work_s=random.choice([0.02, 0.3]),
            sqs_distance_s=0.2 if slots == 30 else 0.0,
        ),
        sidecars=random.choice([1, 2, 3]),
        max_receives=random.choice([None, 5, 20] if kind == "batch" else [None, 20]),
        pace_s=random.choice([0.0, 0.05, 0.3]),
        blows=random.choice([0, 4, 12]),
    )
