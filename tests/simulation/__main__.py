"""`python -m tests.simulation`: many worlds, judged; prints a table. A world that fails is named by its seed."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from tests.history.records import save
from tests.simulation.report import LIVES_A_WORLD, report
from tests.simulation.world import simulate


def main() -> int:
    """Run."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--lives", type=int, default=100_000, help="messages in all (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=None, help="of the first world; the next ones count up")
    parser.add_argument("--save", type=Path, default=None, help="run only the world of --seed; write its history here")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: %(default)s)")
    options = parser.parse_args()
    first = options.seed if options.seed is not None else int.from_bytes(os.urandom(4), "big")
    if options.save is not None:
        outcome = simulate(first, LIVES_A_WORLD)
        save(outcome.history, options.save)
        print("\n".join(map(str, outcome.violations)) or "nothing is wrong")
        return 1 if outcome.violations else 0
    return report(first, -(-options.lives // LIVES_A_WORLD), options.jobs)


if __name__ == "__main__":
    sys.exit(main())
