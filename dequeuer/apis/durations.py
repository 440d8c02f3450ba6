"""Times as Go writes them: `60s`, `5m`, `1h30m`, `0.5s`."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

from dequeuer.apis.model import Allowed, refuse

_UNITS_NS = {
    "ns": 1,
    "us": 10**3,
    "\u00b5s": 10**3,
    "\u03bcs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "m": 60 * 10**9,
    "h": 3600 * 10**9,
}
_PART = re.compile(r"([0-9]{1,20})(?:\.([0-9]{0,20}))?(ns|us|\u00b5s|\u03bcs|ms|s|m|h)")
_MAX_NS = 2**63 - 1
_MAX_CHARS = 100
_TICK_S = 10
"""How often Cortex's autoscaler looks: a window is a multiple of it."""


def _parse(given: object) -> float:
    """Return seconds. The parts are added as whole nanoseconds, so `0.1s` and `100ms` are the same number."""
    if not isinstance(given, str) or len(given) > _MAX_CHARS:
        raise refuse()
    text = given.removeprefix("+")
    if text == "0":
        return 0.0
    nanoseconds = at = 0
    while at < len(text) or not at:
        match = _PART.match(text, at)
        if match is None:
            raise refuse()
        whole, fraction, unit = match.groups(default="")
        nanoseconds += int(whole + fraction) * _UNITS_NS[unit] // 10 ** len(fraction)
        at = match.end()
    if nanoseconds > _MAX_NS:
        raise refuse("it is too long")
    return nanoseconds / 10**9


def _window(given: object) -> float:
    seconds = _parse(given)
    if seconds < _TICK_S or seconds % _TICK_S:
        raise refuse(f"it is no multiple of {_TICK_S}s")
    return seconds


_SCHEMA = WithJsonSchema({"type": "string"})
Duration = Annotated[float, BeforeValidator(_parse), Allowed("a time with its unit (30s, 5m, 1h30m)"), _SCHEMA]
"""In seconds."""
Window = Annotated[
    float, BeforeValidator(_window), Allowed("a time with its unit, a multiple of 10s (60s, 5m)"), _SCHEMA
]
"""In seconds."""
