"""Random worlds whose API is paused and resumed: nothing is lost, repeated or received meanwhile."""

from __future__ import annotations

import os
from collections import Counter

from tests.simulation.world import simulate

WORLDS = 10


def test_a_sample_of_worlds_loses_and_repeats_nothing_by_pauses() -> None:
    first = int(os.environ.get("SIMULATION_SEED") or int.from_bytes(os.urandom(4), "big"))
    seen: Counter[str] = Counter()
    for seed in range(first, first + WORLDS):
        outcome = simulate(seed, 150, "async", pauses=True)
        assert outcome.violations == [], f"SIMULATION_SEED={seed}"
        seen.update(record.what for record in outcome.history)
    assert min(seen["paused"], seen["resumed"]) > WORLDS
