"""From the text of an option to its value: words and numbers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

# The digits are counted: int() refuses more than 4300 with an error of its own, and takes long below that.
_INTEGER = re.compile(r"-?[0-9]{1,18}\Z")
_DECIMAL = re.compile(r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?\Z")
_SIZE = re.compile(r"([0-9]{1,18})(?:\.([0-9]{1,6}))? ?(?:([kKMGT])(i?))?B?\Z")
_EXPONENT = {"k": 1, "K": 1, "M": 2, "G": 3, "T": 4}
MAX_OBJECT_BYTES = 48 * 2**30
"""Bytes that a streamed upload can write: 10,000 parts, each of 5 MiB when the size is not known ahead."""


class InvalidValueError(Exception):
    """The text is not allowed. The error's own text, if any, names the part that is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parser(Generic[T]):
    """Turns text into a value.

    Attributes:
        allowed: what may be given, in words; follows "allowed:".
        read: returns the value, raises `InvalidValueError` and nothing else.
        unit: of a bare number, for the text of a default.
        takes_empty: whether a variable that is set but empty is a value; otherwise it counts as not set.
    """

    allowed: str
    read: Callable[[str], T]
    unit: str = ""
    takes_empty: bool = False


def choice(values: Mapping[str, T], allowed: str) -> Parser[T]:
    """Return a parser of fixed words (lower case in `values`); the case of the text does not matter."""

    def read(text: str) -> T:
        try:
            return values[text.lower()]
        except KeyError:
            raise InvalidValueError from None

    return Parser(allowed=allowed, read=read)


def _integer(text: str, low: int, high: int) -> int:
    if _INTEGER.match(text) is None or not low <= int(text) <= high:
        raise InvalidValueError
    return int(text)


def whole(low: int, high: int, what: str = "a whole number", unit: str = "") -> Parser[int]:
    """Return a parser of whole numbers from `low` to `high`."""
    return Parser(allowed=f"{what} from {low} to {high}", read=lambda text: _integer(text, low, high), unit=unit)


def port_number() -> Parser[int]:
    """Return a parser of port numbers; 0 is not allowed."""
    return whole(1, 65535, "a port")


def whole_days(low: int, high: int) -> Parser[int]:
    """Return a parser of days from `low` to `high`."""
    return whole(low, high, "whole days", "days")


def seconds(low: int, high: int, *, above: bool = False) -> Parser[float]:
    """Return a parser of seconds from `low` (or, with `above`, from more than that) to `high`."""

    def read(text: str) -> float:
        if _DECIMAL.match(text) is None:
            raise InvalidValueError
        number = float(text)
        if not low <= number <= high or (above and number == low):
            raise InvalidValueError
        return number

    bounds = f"more than {low}, at most {high}" if above else f"from {low} to {high}"
    return Parser(allowed=f"seconds (decimals allowed), {bounds}", read=read, unit="s")


def whole_seconds(low: int, high: int) -> Parser[int]:
    """Return a parser of whole seconds; `30.0` is whole, too."""

    def read(text: str) -> int:
        before, _, after = text.partition(".")
        if _DECIMAL.match(text) is None or after.strip("0"):
            raise InvalidValueError
        return _integer(before, low, high)

    return Parser(allowed=f"whole seconds from {low} to {high}", read=read, unit="s")


def size(low: int, high: int, high_text: str) -> Parser[int]:
    """Return a parser of sizes in bytes: `1048576`, `64MiB`, `1.5GB`, and `64Mi` as Kubernetes writes it."""

    def read(text: str) -> int:
        match = _SIZE.match(text)
        if match is None:
            raise InvalidValueError
        before, after, prefix, binary = match.groups(default="")
        factor: int = (1024 if binary else 1000) ** _EXPONENT[prefix] if prefix else 1
        # Whole numbers only: a float is wrong by some bytes from 8 PiB on.
        scale: int = 10 ** len(after)
        number, remainder = divmod(int(before + after) * factor, scale)
        if remainder or not low <= number <= high:
            raise InvalidValueError
        return number

    return Parser(allowed=f"a size in bytes from {low} to {high_text} (64MiB, 1GB and 64Mi work, too)", read=read)


def integers(low: int, high: int, *, but: int, what: str) -> Parser[frozenset[int]]:
    """Return a parser of numbers from `low` to `high`, separated by commas, without `but`; "" is an empty set."""

    def read(text: str) -> frozenset[int]:
        found = set()
        for item in text.split(",") if text else ():
            if _INTEGER.match(item.strip()) is None:
                raise InvalidValueError
            number = int(item)
            if number == but or not low <= number <= high:
                raise InvalidValueError(f"{number} is not allowed")
            found.add(number)
        return frozenset(found)

    allowed = f"{what} from {low} to {high}, but not {but}, separated by commas; set but empty: none"
    return Parser(allowed=allowed, read=read, takes_empty=True)
