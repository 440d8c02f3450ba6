"""Random worlds in which each request has a webhook and an event: none is lost, none is announced that does not stand."""

from __future__ import annotations

import os
from collections import Counter

from tests.simulation.world import simulate

WORLDS = 10


def test_a_sample_of_worlds_announces_each_end_once_it_stands() -> None:
    first = int(os.environ.get("SIMULATION_SEED") or int.from_bytes(os.urandom(4), "big"))
    seen: Counter[str] = Counter()
    for seed in range(first, first + WORLDS):
        outcome = simulate(seed, 150, "async", announces=True)
        assert outcome.violations == [], f"SIMULATION_SEED={seed}"
        seen.update(f"{record.what} {record.name}" for record in outcome.history)
    for what in ("announced", "published"):
        assert seen[f"{what} status/completed"] > WORLDS * 50
        assert seen[f"{what} status/failed"] > WORLDS


def test_worlds_without_webhooks_announce_nothing() -> None:
    assert not [record for record in simulate(1, 50, "async").history if record.what in {"announced", "published"}]
