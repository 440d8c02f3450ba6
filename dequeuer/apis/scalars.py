"""What a YAML scalar is: a text, a number, a boolean, or nothing.

YAML 1.1, YAML 1.2 and Cortex's reader agree on most plain scalars. Where they do not, and two of them would read
different numbers (`0755`: 493 or 755), the value is `Ambiguous`, which no field accepts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {
    form: value
    for word, value in {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}.items()
    for form in (word, word.capitalize(), word.upper())
}
_DECIMAL = re.compile(r"[-+]?(?:0|[1-9][0-9_]*)\Z")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9_]+\Z")
_PREFIXED = re.compile(r"[-+]?0(?:x[0-9a-fA-F_]+|b[01_]+|o[0-7_]+)\Z")
_FLOAT = re.compile(r"[-+]?(?:[0-9][0-9_]*(?:\.[0-9_]*)?|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?\Z")
_NOT_FINITE = re.compile(r"(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))\Z")
_MAX_DIGITS = 400
"""Python refuses to parse integers of more than 4300 digits; no field takes even 20."""

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """A plain scalar that readers of YAML understand differently, or that is no plain value.

    Attributes:
        why: completes "it is".
        do: what to do about it.
    """

    why: str
    do: str


def read_plain(text: str) -> Scalar | Ambiguous:
    """Return the value of a scalar without quotes and without a tag."""
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _NOT_FINITE.match(text):
        return float(text.replace(".", "").lower())
    if text[0] not in "+-.0123456789":
        return text
    if len(text) > _MAX_DIGITS:
        is_number = _DECIMAL.match(text) or _LEADING_ZERO.match(text) or _FLOAT.match(text) or _PREFIXED.match(text)
        long = Ambiguous(f"a number of more than {_MAX_DIGITS} characters", "shorten it")
        return long if is_number else text
    return _read_number(text)


def _read_number(text: str) -> Scalar | Ambiguous:
    digits = text.replace("_", "")
    if _LEADING_ZERO.match(text):
        return Ambiguous("octal for some readers of YAML and decimal for others", "write it without the leading zero")
    try:
        if _DECIMAL.match(text):
            return int(digits)
        if _PREFIXED.match(text):
            return int(digits, 0)
        if _FLOAT.match(text):
            return float(digits)
    except ValueError:  # nothing but underscores
        pass
    return text
