"""Amounts of CPU and memory as Kubernetes writes them: `200m`, `0.5`, `2.5Gi`, `512M`, `1e3`."""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, Context, Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, WithJsonSchema

from dequeuer.apis.model import Allowed, refuse

# A lower-case k is right in Kubernetes; Cortex's pages name K, too.
_FACTORS = {
    "n": Decimal("1e-9"),
    "u": Decimal("1e-6"),
    "m": Decimal("1e-3"),
    "": Decimal(1),
    "k": Decimal(1000),
    "K": Decimal(1000),
    **{letter: Decimal(1000) ** power for power, letter in enumerate("MGTPE", 2)},
    **{f"{letter}i": Decimal(1024) ** power for power, letter in enumerate("KMGTPE", 1)},
}
_QUANTITY = re.compile(r"\+?([0-9]{1,30}(?:\.[0-9]{0,30})?|\.[0-9]{1,30})(?:[eE]([-+]?[0-9]{1,2})|([A-Za-z]{0,2}))\Z")
_EXACT = Context(prec=200)
_MAX = 2**63 - 1
_MEBIBYTE = 2**20


def _parse(given: object, scale: int) -> int:
    """Return a quantity times `scale`, rounded up as Kubernetes does."""
    if isinstance(given, bool) or not isinstance(given, str | int | float):
        raise refuse()
    match = _QUANTITY.match(str(given))
    if match is None:
        raise refuse()
    number, exponent, suffix = match.groups()
    factor = _FACTORS.get(suffix or "") if exponent is None else Decimal(10) ** int(exponent)
    if factor is None:
        raise refuse(f"{suffix} is no unit")
    amount = _EXACT.multiply(_EXACT.multiply(Decimal(number), factor), Decimal(scale))
    whole = int(amount.to_integral_value(ROUND_CEILING, _EXACT))
    if whole > _MAX:
        raise refuse("it is too large")
    return whole


def _cpu(given: object) -> int | None:
    if given is None:
        return None
    millis = _parse(given, 1000)
    if millis < 20:
        raise refuse("it is less than 20m")
    return millis


def _mem(given: object) -> int | None:
    size = _shm(given)
    if size is not None and size < 20 * _MEBIBYTE:
        raise refuse("it is less than 20Mi")
    return size


def _shm(given: object) -> int | None:
    if given is None:
        return None
    if isinstance(given, float):
        raise refuse()
    return _parse(given, 1)


def _schema(*types: str) -> Any:
    return WithJsonSchema({"anyOf": [{"type": one} for one in (*types, "null")]})


Cpu = Annotated[
    int | None,
    BeforeValidator(_cpu),
    Allowed("at least 20m: a number of CPUs (1, 0.5), or thousandths of one (200m); null: none is asked for"),
    _schema("string", "number"),
]
"""In thousandths of a CPU."""
Mem = Annotated[
    int | None,
    BeforeValidator(_mem),
    Allowed("at least 20Mi: bytes, or an amount with a unit (512Mi, 2.5Gi, 1G); null: none is asked for"),
    _schema("string", "integer"),
]
"""In bytes."""
Shm = Annotated[
    int | None,
    BeforeValidator(_shm),
    Allowed("bytes, or an amount with a unit (64Mi, 1Gi), not above `mem`; null: none"),
    _schema("string", "integer"),
]
"""In bytes."""
