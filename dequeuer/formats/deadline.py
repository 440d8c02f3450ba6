"""The deadline of a request: a message attribute with the seconds since the epoch, as text: `1700000000.25`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

DEADLINE_ATTRIBUTE: Final = "deadline"

_SECONDS: Final = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,3})?", re.ASCII)


def encode_deadline(at_s: float) -> str:
    """Return the value of the attribute. `at_s`: seconds since the epoch."""
    return f"{at_s:.3f}"


def deadline_of(attributes: Mapping[str, str]) -> float | None:
    """Return the deadline, seconds since the epoch; None when there is none, or its text has another form."""
    text = attributes.get(DEADLINE_ATTRIBUTE)
    return float(text) if text is not None and _SECONDS.fullmatch(text) else None
