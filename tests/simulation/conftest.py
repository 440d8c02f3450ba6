"""The simulator as a fixture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import pytest

from tests.simulation import clock
from tests.simulation.plan import Plan
from tests.simulation.world import Outcome, World


class Simulated(Protocol):
    """Runs a world by a plan. A broken promise fails the test; the error names the seed."""

    def __call__(
        self,
        plan: Plan,
        *,
        seed: int = 0,
        prepare: Callable[[World, clock.VirtualLoop], None] | None = None,
        collects_garbage: bool = False,
    ) -> Outcome:
        """`prepare` is called before the world begins. It can schedule functions at turns of the loop."""


@pytest.fixture
def simulated() -> Simulated:
    def run(
        plan: Plan,
        *,
        seed: int = 0,
        prepare: Callable[[World, clock.VirtualLoop], None] | None = None,
        collects_garbage: bool = False,
    ) -> Outcome:
        async def main() -> Outcome:
            world = World(seed, plan)
            loop = clock.running()
            if prepare is not None:
                prepare(world, loop)
            await world.run()
            return world.outcome()

        outcome = clock.run(seed, main, collects_garbage=collects_garbage)
        assert not outcome.violations, f"seed {seed}: {outcome.violations[0]}"
        return outcome

    return run
