"""The command line."""

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
    """What was asked for.

    Attributes:
        quick: less of everything.
        runs: of each row of CPU.
        rows: by name.
        servers: of store and container; None: nginx when it is there.
        profile: canned servers, or a real queue and store.
        client: value of `DEQUEUER_AWS_CLIENT`; None: the default.
        limits: a file of limits; None: no limits.
        soak: messages of the soak; None: as many as usual.
        json: file for the results.
        plot: file for the picture.
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
    """Read the command line; a wrong one ends the process with status 2 and says why."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__, allow_abbrev=False)
    parser.description = "Measure the sidecar as a whole process, beside a floor of raw protocol in the same run."
    parser.add_argument("--quick", action="store_true", help="less of everything, about a minute and a half")
    parser.add_argument("--runs", type=_positive, help=f"runs of each row of CPU; {RUNS}, with --quick 1")
    parser.add_argument("--only", type=_rows, default=NAMES, metavar="ROW[,ROW]", help=f"of: {', '.join(NAMES)}")
    parser.add_argument("--servers", choices=("own", "nginx"), help="store and container; nginx when it is on PATH")
    parser.add_argument("--profile", choices=("canned", "fauxqs"), default="canned", help="fauxqs: a real queue")
    parser.add_argument("--client", metavar="NAME", help="AWS client of the sidecar, as DEQUEUER_AWS_CLIENT")
    parser.add_argument("--limits", type=Path, metavar="FILE", help="exit with 1 when a limit in it is exceeded")
    parser.add_argument("--soak", type=int, metavar="N", help=f"messages of the soak; {FULL.soak}, with --quick none")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the comparison, a PNG (needs matplotlib)")
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
