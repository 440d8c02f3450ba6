"""`python -m tests.simulation`: runs many worlds, prints a table, and the seeds that broke a promise.

`SIMULATION_PART=2/3` runs the second of three parts of the worlds, unless `--seed` names them.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from tests.history.records import save
from tests.parts import worlds_of
from tests.simulation.kinds import KINDS, MESSAGES
from tests.simulation.report import report, report_jobs


def main() -> int:
    """Run."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    for lives in KINDS:
        is_one = "" if lives is MESSAGES else "; with --save the world is one of them"
        text = f"{lives.what}, in all{is_one} (default: %(default)s)"
        parser.add_argument(lives.option, dest=lives.option, metavar="N", type=int, default=lives.default, help=text)
    parser.add_argument(
        "--batch-jobs",
        type=int,
        default=0,
        help="batch jobs, with controllers, a world for each (default: %(default)s)",
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=None,
        help="seed of the first world; the next worlds have the next numbers (default: SIMULATION_SEED, or a new one)",
    )
    parser.add_argument(
        "--save", type=Path, default=None, help="run only the world of --seed, and write its history to this file"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: %(default)s)")
    options = parser.parse_args()
    first = options.seed
    if first is None:
        first = int(os.environ.get("SIMULATION_SEED") or int.from_bytes(os.urandom(4), "big"))
    wanted = {lives: count for lives in KINDS if (count := getattr(options, lives.option))}
    if options.save is not None:
        outcome = next((lives for lives in wanted if lives is not MESSAGES), MESSAGES).play(first)
        save(outcome.history, options.save)
        print("\n".join(map(str, outcome.violations)) or "no promise was broken")
        return 1 if outcome.violations else 0
    wanted_part = os.environ.get("SIMULATION_PART", "") if options.seed is None else ""
    try:
        batch_worlds = worlds_of(wanted_part, options.batch_jobs)
        worlds = {lives: worlds_of(wanted_part, -(-count // lives.per_world)) for lives, count in wanted.items()}
    except ValueError as error:
        parser.error(str(error))
    if not batch_worlds and not any(worlds.values()):
        parser.error("there is no world to run, here and in this part of them; give more lives")
    broken = 0
    if batch_worlds:
        broken = report_jobs(first + batch_worlds.start, len(batch_worlds), options.jobs)
    for lives, part in worlds.items():
        if part:
            broken |= report(lives, first + part.start, len(part), options.jobs)
    return broken


if __name__ == "__main__":
    sys.exit(main())
