"""Random worlds whose sidecars end by themselves while others are started: nothing is lost, and nothing is done twice."""

from __future__ import annotations

import os

import pytest

from tests.simulation.sidecar import Kind
from tests.simulation.world import simulate

WORLDS = 10


@pytest.mark.parametrize("kind", ["async", "queue"])
def test_a_sample_of_worlds_keeps_every_promise_while_sidecars_end_by_themselves(kind: Kind) -> None:
    first = int(os.environ.get("SIMULATION_SEED") or int.from_bytes(os.urandom(4), "big"))
    ended = 0
    for seed in range(first, first + WORLDS):
        outcome = simulate(seed, 100, kind, own_ends=True)
        assert outcome.violations == [], f"SIMULATION_SEED={seed}"
        ended += outcome.own_ends
    assert ended >= WORLDS, "hardly any sidecar has ended by itself"
