"""An action is refused for longer than a lease: nothing is lost, no request is called twice, and work continues."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.simulation.clock import VirtualLoop
from tests.simulation.conftest import Simulated
from tests.simulation.network import ACTIONS, Action, FaultRates
from tests.simulation.plan import Plan
from tests.simulation.sidecar import Kind, Shape
from tests.simulation.world import World


def plan(kind: Kind) -> Plan:
    shape = Shape(kind=kind, slots=4, lease_s=30, grace_s=55.0, poll_wait_s=10, request_timeout_s=3600.0)
    return Plan(messages=30, rates=FaultRates(), shape=shape, pace_s=4.0)


@pytest.mark.parametrize("kind", ["async", "batch", "queue"])
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("turn", [50, 400])
def test_an_action_that_is_refused_for_a_while(simulated: Simulated, kind: Kind, action: Action, turn: int) -> None:
    # A lease that cannot be renewed is lost, and so is its work. Renewals are refused for less than half a lease.
    seconds = 10.0 if action == "sqs:visibility" else 100.0

    def prepare(world: World, loop: VirtualLoop) -> None:
        loop.at_step[turn] = lambda: world.refuse(action, seconds)

    outcome = simulated(plan(kind), seed=turn, prepare=prepare)
    calls = Counter(record.ref for record in outcome.history if record.what == "called" and record.name == "/")
    if kind == "queue":  # its messages have several attempts
        calls = Counter({ref: count for ref, count in calls.items() if not ref.startswith(("500", "flaky"))})
    assert max(calls.values()) == 1
    if kind == "async":
        failed = [ref for ref, objects in outcome.final.objects.items() if "status/failed" in objects]
        invalid = {record.ref for record in outcome.history if record.name == "invalid_input"}
        assert {ref.partition("-")[0] for ref in failed if ref not in invalid} <= {"500", "flaky", "bad_json"}
