"""The command line of the benchmark."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from bench.rows import FULL, NAMES

RUNS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The parsed command line.

    Attributes:
        quick: measure less of everything.
        runs: the number of runs of each CPU row.
        rows: the names of the rows to measure.
        servers: store and container; None means nginx if it is installed.
        profile: canned servers, or fauxqs.
        client: the value of `DEQUEUER_AWS_CLIENT`; None means the default.
        limits: the file of limits; None means no limits.
        soak: the number of messages of the soak; None means the default.
        json: the file for the results.
        plot: the file for the picture.
    """

    quick: bool
    runs: int
    rows: tuple[str, ...]
    servers: Literal["own", "nginx"] | None
    profile: Literal["canned", "fauxqs"]
    client: str | None
    limits: Path | None
    soak: int | None
    json: Path | None
    plot: Path | None


def parse(arguments: Sequence[str]) -> Options:
    """Parse the command line. For invalid arguments the process exits with status 2 and an error text."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, allow_abbrev=False)
    parser.description = "Measure the whole sidecar process, and compare it with a minimal client in the same run."
    parser.add_argument("--quick", action="store_true", help="measure less of everything, about two minutes and a half")
    parser.add_argument("--runs", type=_positive, help=f"runs of each CPU row; default {RUNS}, with --quick 1")
    parser.add_argument("--only", type=_rows, default=NAMES, metavar="ROW[,ROW]", help=f"rows: {', '.join(NAMES)}")
    parser.add_argument("--servers", choices=("own", "nginx"), help="store and container; nginx when it is on PATH")
    parser.add_argument("--profile", choices=("canned", "fauxqs"), default="canned", help="default: canned")
    parser.add_argument("--client", metavar="NAME", help="AWS client of the sidecar, as DEQUEUER_AWS_CLIENT")
    parser.add_argument("--limits", type=Path, metavar="FILE", help="exit with 1 when a limit in it is exceeded")
    parser.add_argument("--soak", type=int, metavar="N", help=f"messages of the soak; {FULL.soak}, with --quick 0")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all measurements as JSON")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the comparison as PNG (needs matplotlib)")
    found = parser.parse_args(arguments)
    return Options(
        quick=found.quick,
        runs=found.runs or (1 if found.quick else RUNS),
        rows=found.only,
        servers=found.servers,
        profile=found.profile,
        client=found.client,
        limits=found.limits,
        soak=found.soak,
        json=found.json,
        plot=found.plot,
    )


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return value


def _rows(text: str) -> tuple[str, ...]:
    asked = text.split(",")
    if unknown := [name for name in asked if name not in NAMES]:
        raise argparse.ArgumentTypeError(f"no such row: {', '.join(unknown)}; there are {', '.join(NAMES)}")
    return tuple(name for name in NAMES if name in asked)
