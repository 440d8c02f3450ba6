"""`python -m tests.faults --duration 60 --seed 7`: random faults against real processes, for a chosen time."""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from pathlib import Path

from tests.faults.rounds import run_rounds
from tests.faults.servers import servers
from tests.faults.table import table

_DURATION = re.compile(r"(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<unit>[smh]?)\Z")


def seconds(text: str) -> float:
    """Read a duration: 60, 90s, 10m, 2h."""
    found = _DURATION.match(text)
    if found is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a duration; allowed are, for example, 60, 90s, 10m, 2h")
    return float(found["number"]) * {"": 1, "s": 1, "m": 60, "h": 3600}[found["unit"]]


def new_seed() -> int:
    """Return the value of FAULTS_SEED, or a new seed."""
    return int(os.environ.get("FAULTS_SEED") or int.from_bytes(os.urandom(4), "big"))


def main() -> int:
    """Run, print the table, and return 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument(
        "--duration", type=seconds, default=60.0, help="60, 90s, 10m, 2h; a round that has begun is finished"
    )
    parser.add_argument("--seed", type=int, default=None, help="default: FAULTS_SEED, or a new seed")
    parser.add_argument("--server", choices=["ministack", "fauxqs"], default="ministack", help="of the queue")
    chosen = parser.parse_args()
    seed = new_seed() if chosen.seed is None else chosen.seed
    print(f"seed {seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder, servers(chosen.server, Path(folder)) as running:
        report = run_rounds(running, seed, chosen.duration, Path(tempfile.gettempdir()))
    print(table(report))
    return 1 if report.findings else 0


if __name__ == "__main__":
    sys.exit(main())
