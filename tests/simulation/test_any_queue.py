"""Random worlds of the kind `queue`, with and without groups that have an order, keep the promises."""

from __future__ import annotations

import os
from collections import Counter

import pytest

from tests.simulation.world import simulate

WORLDS = 20


def test_a_sample_of_worlds_keeps_every_promise() -> None:
    first = int(os.environ.get("SIMULATION_SEED") or int.from_bytes(os.urandom(4), "big"))
    seen: Counter[str] = Counter()
    for seed in range(first, first + WORLDS):
        outcome = simulate(seed, 100, "queue")
        assert outcome.violations == [], f"SIMULATION_SEED={seed}"
        seen.update(record.what for record in outcome.history)
        seen.update(record.name for record in outcome.history if record.what == "done" and record.op == "write")
    assert seen["submitted"] >= WORLDS * 100
    assert seen["result.json"] > WORLDS * 50, "hardly anything was done"


@pytest.mark.parametrize("seed", [2, 11])
def test_a_seed_gives_one_history(seed: int) -> None:
    assert simulate(seed, 50, "queue").history == simulate(seed, 50, "queue").history
