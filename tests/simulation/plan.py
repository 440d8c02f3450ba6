"""The parameters of a world, drawn at random or set by a test."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace

from dequeuer.worker.lease import poll_wait_s
from tests.simulation.network import FaultRates, draw_fault_rates
from tests.simulation.sidecar import Kind, Shape


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The parameters of one world.

    Attributes:
        messages: the number of messages that are submitted.
        rates: of faults of single requests.
        shape: the settings of its sidecars.
        sidecars: the number of sidecars at the same time.
        max_receives: of the redrive policy; None: there is no redrive policy.
        pace_s: the mean time between two messages.
        disturbances: the number of faults of whole processes and servers.
    """

    messages: int
    rates: FaultRates
    shape: Shape
    sidecars: int = 1
    max_receives: int | None = None
    pace_s: float = 0.0
    disturbances: int = 0


def draw_plan(messages: int, kind: Kind | None) -> Plan:
    """Draw the parameters of a world."""
    kind = kind or ("batch" if random.random() < 0.3 else "async")
    lease_s = random.choice([2, 5, 30, 120])
    rates = draw_fault_rates()
    slots = random.choice([1, 2, 8, 30])
    drawn = Plan(
        messages=messages,
        rates=rates,
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
        max_receives=random.choice([None, 20] if kind == "async" else [None, 5, 20]),
        pace_s=random.choice([0.0, 0.05, 0.3]),
        disturbances=random.choice([0, 4, 12]),
    )
    if kind == "queue":  # drawn last: the worlds of the other kinds keep their seeds
        groups = random.choice([0, 1, 5, 40])
        # A message that always fails holds its group back until its last receive: of 20, that would take for hours.
        max_receives = min(drawn.max_receives, 5) if drawn.max_receives and groups else drawn.max_receives
        return replace(drawn, shape=replace(drawn.shape, groups=groups), max_receives=max_receives)
    return drawn


def draw_own_end(shape: Shape) -> Shape:
    """Draw when the sidecars end by themselves."""
    limits: list[tuple[int | None, float | None]] = [(1, None), (7, 5.0), (50, None), (None, 1.0), (None, 15.0)]
    max_messages, idle_s = random.choice(limits)
    return replace(shape, max_messages=max_messages, idle_s=idle_s)
