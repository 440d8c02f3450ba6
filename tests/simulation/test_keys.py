"""Random worlds in which clients submit with keys, at gateways that are killed: a key is one request."""

from __future__ import annotations

import os
from collections import Counter

from tests.simulation.keys import simulate_keys

WORLDS, KEYS = 6, 30


def test_a_sample_of_worlds_keeps_the_promises_about_keys() -> None:
    first = int(os.environ.get("SIMULATION_SEED") or int.from_bytes(os.urandom(4), "big"))
    seen: Counter[object] = Counter()
    for seed in range(first, first + WORLDS):
        outcome = simulate_keys(seed, KEYS)
        assert outcome.violations == [], f"SIMULATION_SEED={seed}"
        seen.update(record.status if record.what == "told" else record.what for record in outcome.history)
    assert seen[200] >= WORLDS * KEYS
    assert min(seen["submitted"], seen["called"]) > WORLDS * KEYS / 2


def test_a_world_in_which_gateways_die_after_a_few_calls_keeps_them_and_is_the_same_again() -> None:
    outcome = simulate_keys(1, KEYS, mean_calls=8)
    statuses = Counter(record.status for record in outcome.history if record.what == "told")
    assert outcome.violations == []
    assert outcome.faults["kill gateway"] > 10
    assert min(statuses[0], statuses[409], statuses[422]) > 0
    assert simulate_keys(1, KEYS, mean_calls=8).history == outcome.history


def test_gateways_that_are_not_killed_answer_every_client() -> None:
    outcome = simulate_keys(1, KEYS, mean_calls=0)
    assert outcome.violations == []
    assert not outcome.faults["kill gateway"]
