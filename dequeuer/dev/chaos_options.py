"""The arguments of `dequeuer dev` about what goes wrong on purpose."""

from __future__ import annotations

import argparse
import random
from typing import Final

from dequeuer.core.errors import clip
from dequeuer.dev.chaos_plan import CHAOS_KINDS, ChaosKind, ChaosPlan, parse_kinds
from dequeuer.settings.arguments import whole_number

MAX_SEED: Final = 2**32 - 1


def add_chaos_arguments(parser: argparse.ArgumentParser) -> None:
    """Add `--chaos` and `--chaos-seed`."""
    kinds = ", ".join(CHAOS_KINDS)
    parser.add_argument(
        "--chaos",
        nargs="?",
        type=_kinds,
        const=CHAOS_KINDS,
        metavar="KINDS",
        help=f"with -f: let things go wrong: {kinds}, with commas between (default: all)",
    )
    seeds = f"repeat the chaos of another run: 0 to {MAX_SEED} (default: another one each time)"
    parser.add_argument("--chaos-seed", type=whole_number(0, MAX_SEED), metavar="N", help=seeds)


def chaos_of(parser: argparse.ArgumentParser, given: argparse.Namespace) -> ChaosPlan | None:
    """Return what goes wrong on purpose. Ends with a usage error when that has no sense."""
    if given.chaos is None:
        if given.chaos_seed is not None:
            parser.error("--chaos-seed: repeats the chaos of another run: give --chaos, too, or leave it out")
        return None
    if given.file is None:
        parser.error("--chaos: only with -f: write the APIs into a cortex.yaml, or leave it out")
    if given.once:
        parser.error("--chaos: not with --once, which ends before anything goes wrong: leave one of them out")
    seed = random.randrange(MAX_SEED + 1) if given.chaos_seed is None else given.chaos_seed  # noqa: S311 - no secret
    return ChaosPlan(kinds=given.chaos, seed=seed)


def _kinds(text: str) -> tuple[ChaosKind, ...]:
    try:
        return parse_kinds(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(clip(str(error))) from error
