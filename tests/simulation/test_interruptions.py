"""One message, disturbed at every turn of the event loop: at every await, by every kind of disturbance."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.simulation.clock import VirtualLoop
from tests.simulation.conftest import Simulated
from tests.simulation.network import FaultRates
from tests.simulation.plan import Plan
from tests.simulation.sidecar import Kind, Shape
from tests.simulation.world import DISTURBANCES, Disturbance, Outcome, World


def plan(kind: Kind) -> Plan:
    shape = Shape(kind=kind, slots=2, lease_s=5, grace_s=55.0, poll_wait_s=3, request_timeout_s=3600.0)
    return Plan(messages=1, rates=FaultRates(), shape=shape)


def count(outcome: Outcome) -> Counter[str]:
    return Counter(record.what for record in outcome.history if record.name != "/on-job-complete")


@pytest.mark.parametrize("kind", ["async", "batch", "queue"])
@pytest.mark.parametrize("disturbance", DISTURBANCES)
def test_interrupted_anywhere_nothing_is_lost_and_nothing_done_wrongly(
    simulated: Simulated, disturbance: Disturbance, kind: Kind
) -> None:
    undisturbed = simulated(plan(kind))
    disturbed = 0
    for turn in range(1, undisturbed.turns + 1):

        def prepare(world: World, loop: VirtualLoop, turn: int = turn) -> None:
            loop.at_step[turn] = lambda: world.disturb(disturbance)

        outcome = simulated(plan(kind), prepare=prepare)
        disturbed += outcome.faults[disturbance]
        if kind == "async":
            [objects] = outcome.final.objects.values()
            assert "status/completed" in objects, f"turn {turn}"
        calls = count(outcome)["called"]
        assert 1 <= calls <= 2, f"turn {turn}"
        if disturbance == "terminate":
            # A drain finishes the running work. A second call is allowed only when the container was stopped, too.
            broke = [record for record in outcome.history if record.what == "left" and record.status]
            assert calls == 1 or broke, f"turn {turn}"
    assert disturbed >= undisturbed.turns - 1
