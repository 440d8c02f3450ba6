"""The simulator as a fixture."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import pytest

from tests.simulation import clock
from tests.simulation.plan import Plan
from tests.simulation.world import Outcome, World


class Simulated(Protocol):
    """Runs a world of a given plan. Whatever breaks a promise fails the test, and names the seed."""

    def __call__(
        self,
        plan: Plan,
        *,
        seed: int = 0,
        prepare: Callable[[World, clock.VirtualLoop], None] | None = None,
        thorough: bool = False,
    ) -> Outcome:
        """`prepare` is called before it begins, to have things happen at chosen turns of the loop."""


@pytest.fixture
def simulated() -> Simulated:
    def run(
        plan: Plan,
        *,
        seed: int = 0,
        prepare: Callable[[World, clock.VirtualLoop], None] | None = None,
        thorough: bool = False,
    ) -> Outcome:
        async def main() -> Outcome:
            world = World(seed, plan)
            loop = clock.running()
            if prepare is not None:
                prepare(world, loop)
            await world.run()
            return world.outcome()

        outcome = clock.run(seed, main, thorough=thorough)
        assert not outcome.violations, f"seed {seed}: {outcome.violations[0]}"
        return outcome

    return run
