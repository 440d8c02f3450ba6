"""One message, interrupted at every turn of the event loop: at every await, in every way."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.simulation.clock import VirtualLoop
from tests.simulation.conftest import Simulated
from tests.simulation.plan import Plan
from tests.simulation.sidecar import Kind, Shape
from tests.simulation.weather import Weather
from tests.simulation.world import BLOWS, Blow, Outcome, World


def plan(kind: Kind) -> Plan:
    shape = Shape(kind=kind, slots=2, lease_s=5, grace_s=55.0, poll_wait_s=3, request_timeout_s=3600.0)
    return Plan(lives=1, weather=Weather(), shape=shape)


def count(outcome: Outcome) -> Counter[str]:
    return Counter(record.what for record in outcome.history if record.name != "/on-job-complete")


@pytest.mark.parametrize("kind", ["async", "batch"])
@pytest.mark.parametrize("blow", BLOWS)
def test_interrupted_anywhere_nothing_is_lost_and_nothing_done_wrongly(
    simulated: Simulated, blow: Blow, kind: Kind
) -> None:
    undisturbed = simulated(plan(kind))
    struck = 0
    for turn in range(1, undisturbed.turns + 1):

        def prepare(world: World, loop: VirtualLoop, turn: int = turn) -> None:
            loop.at_step[turn] = lambda: world.strike(blow)

        outcome = simulated(plan(kind), prepare=prepare)
        struck += outcome.faults[blow]
        if kind == "async":
            [objects] = outcome.final.objects.values()
            assert "status/completed" in objects, f"turn {turn}"
        calls = count(outcome)["called"]
        assert 1 <= calls <= 2, f"turn {turn}"
        if blow == "terminate":
            # A drain finishes what runs: unless the pod's container goes down with it, nothing runs twice.
            broke = [record for record in outcome.history if record.what == "left" and record.status]
            assert calls == 1 or broke, f"turn {turn}"
    assert struck >= undisturbed.turns - 1
