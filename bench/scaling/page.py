"""The tables of docs/scaling.md: each stands between two comments that name it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from bench.scaling.experiments import Runs, fallback_table, shapes_table, sparing_table, zero_table

_TABLE = re.compile(r"(<!-- table: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def tables(runs: Runs) -> Mapping[str, str]:
    """Return all tables by name."""
    return {
        "shapes": shapes_table(runs),
        "zero": zero_table(),
        "fallback": fallback_table(),
        "sparing": sparing_table(),
    }


def render(page: str, made: Mapping[str, str]) -> str:
    """Return the page with its tables made anew. An unknown name is a `KeyError`."""
    return _TABLE.sub(lambda found: f"{found[1]}\n{made[found[2]]}\n\n{found[3]}", page)
