"""`python -m tests.faults.jobs --seeds 10 --items 100000`: jobs from each source, whose processes are killed."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from dequeuer.core.plurals import counted
from tests.faults.__main__ import new_seed
from tests.faults.jobs.life import run_life
from tests.faults.jobs.sources import SOURCES, Sources
from tests.integration.cloud import Cloud
from tests.integration.servers import SERVERS


def main() -> int:
    """Run, print a line for each job, and return 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults.jobs", description=__doc__)
    parser.add_argument("--seeds", type=int, default=10, help="jobs of each source (default: %(default)s)")
    parser.add_argument("--items", type=int, default=100_000, help="of a job (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=None, help="the first one; default: FAULTS_SEED, or a new seed")
    parser.add_argument("--source", choices=[*SOURCES], action="append", help="default: all of them")
    chosen = parser.parse_args()
    first = new_seed() if chosen.seed is None else chosen.seed
    broken = 0
    print(f"seeds {first} to {first + chosen.seeds - 1}, {chosen.items} items", flush=True)
    with tempfile.TemporaryDirectory() as folder, SERVERS["ministack"](Path(folder)) as url:
        cloud = Cloud("ministack", url)
        sources = Sources(cloud, chosen.items)
        for seed in range(first, first + chosen.seeds):
            for source in chosen.source or SOURCES:
                with tempfile.TemporaryDirectory() as job_folder:
                    verdict = run_life(cloud, sources, source, chosen.items, seed, Path(job_folder))
                print(verdict, flush=True)
                broken += bool(verdict.violations)
    print(f"{counted(broken, 'job')} broke a promise")
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
