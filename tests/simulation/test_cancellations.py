"""Random worlds in which clients cancel requests and give them deadlines: one end stands, and nothing runs in vain."""

from __future__ import annotations

import os
from collections import Counter

from tests.simulation.world import simulate

WORLDS = 10


def test_a_sample_of_worlds_obeys_cancellations_and_deadlines() -> None:
    first = int(os.environ.get("SIMULATION_SEED") or int.from_bytes(os.urandom(4), "big"))
    seen: Counter[str] = Counter()
    for seed in range(first, first + WORLDS):
        outcome = simulate(seed, 150, "async", cancels=True)
        assert outcome.violations == [], f"SIMULATION_SEED={seed}"
        seen.update(record.what for record in outcome.history)
        seen.update(
            record.digest for record in outcome.history if record.what == "done" and record.name == "status/failed"
        )
    assert min(seen["cancelled"], seen["saw"], seen["expired"]) > WORLDS


def test_worlds_without_cancellations_look_for_none() -> None:
    history = simulate(1, 50, "async").history
    assert not [record for record in history if record.what in {"cancelled", "saw"}]
