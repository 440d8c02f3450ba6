"""Writes the shapes of load, once, from a seed: `python -m bench.scaling.make_loads`.

They are made, not measured at an installation: a simple curve, and each step of ten seconds has Poisson noise.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from random import Random
from typing import Final

from bench.scaling.loads import FOLDER

STEP_S: Final = 10
LENGTH_S: Final = 7200
SEED: Final = 13


def _burst(second: int) -> float:
    return 4.0 if 1200 <= second < 2100 else 0.25


def _ramp(second: int) -> float:
    rising, falling = (second - 900) / 2400, (5400 - second) / 1200
    return 0.25 + 3.75 * max(0.0, min(1.0, rising, falling))


def _sawtooth(second: int) -> float:
    if not 900 <= second < 5700:
        return 0.25
    return 0.25 + 3.75 * ((second - 900) % 600) / 600


def _steady(_: int) -> float:
    return 2.0


def _idle(second: int) -> float:
    return 1.0 if second % 2400 in range(600, 1200) else 0.0


SHAPES: Final[Mapping[str, Callable[[int], float]]] = {
    "burst": _burst,
    "ramp": _ramp,
    "sawtooth": _sawtooth,
    "spot-loss": _steady,
    "idle": _idle,
}
LOSSES: Final[Mapping[str, Mapping[int, float]]] = {"spot-loss": {1800: 0.5, 3600: 0.25, 5400: 0.75}}
"""By shape: the second in which a share of the pods is lost."""


def csv_text(name: str) -> str:
    """Return the file of a shape."""
    random = Random(f"{SEED} {name}")  # noqa: S311 - nothing here is secret
    lines = ["second,per_s,lost_share"]
    for second in range(0, LENGTH_S, STEP_S):
        requests = _poisson(random, SHAPES[name](second) * STEP_S)
        lines.append(f"{second},{requests / STEP_S:g},{LOSSES.get(name, {}).get(second, 0):g}")
    return "\n".join(lines) + "\n"


def _poisson(random: Random, mean: float) -> int:
    bound, product, count = math.exp(-mean), 1.0, -1
    while product > bound:
        product *= random.random()
        count += 1
    return max(0, count)


if __name__ == "__main__":
    for shape in SHAPES:
        (FOLDER / f"{shape}.csv").write_text(csv_text(shape), encoding="ascii")
