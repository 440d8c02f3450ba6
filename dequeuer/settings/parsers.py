"""From the text of a setting to its value. A parser says what it allows; everything else is refused."""

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
LARGEST_OBJECT = 48 * 2**30
"""Bytes that a streamed upload can write: 10,000 parts, each of 5 MiB when the size is not known ahead."""
_EXPONENT = {"k": 1, "K": 1, "M": 2, "G": 3, "T": 4}


class RefusedError(Exception):
    """The text is not allowed. The error's own text, if any, names the part that is to blame."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parser(Generic[T]):
    """Turns text into a value.

    Attributes:
        allowed: what may be given, in words; follows "allowed:".
        read: returns the value, raises `RefusedError` and nothing else.
    """

    allowed: str
    read: Callable[[str], T]


def _integer(text: str) -> int:
    if _INTEGER.match(text) is None:
        raise RefusedError
    return int(text)


def whole(low: int, high: int, what: str = "a whole number") -> Parser[int]:
    """Return a parser of whole numbers from `low` to `high`."""

    def read(text: str) -> int:
        number = _integer(text)
        if not low <= number <= high:
            raise RefusedError
        return number

    return Parser(allowed=f"{what} from {low} to {high}", read=read)


def port() -> Parser[int]:
    """Return a parser of port numbers; 0 is none of them."""
    return whole(1, 65535, "a port")


def seconds(low: int, high: int, *, above: bool = False) -> Parser[float]:
    """Return a parser of seconds from `low` (or, with `above`, from more than that) to `high`."""

    def read(text: str) -> float:
        if _DECIMAL.match(text) is None:
            raise RefusedError
        number = float(text)
        if not low <= number <= high or (above and number == low):
            raise RefusedError
        return number

    bounds = f"more than {low}, at most {high}" if above else f"from {low} to {high}"
    return Parser(allowed=f"seconds (decimals allowed), {bounds}", read=read)


def whole_seconds(low: int, high: int) -> Parser[int]:
    """Return a parser of whole seconds; `30.0` is whole, too."""

    def read(text: str) -> int:
        if _DECIMAL.match(text) is None:
            raise RefusedError
        before, _, after = text.partition(".")
        number = int(before)
        if after.strip("0") or not low <= number <= high:
            raise RefusedError
        return number

    return Parser(allowed=f"whole seconds from {low} to {high}", read=read)


def size(low: int, high: int, high_text: str) -> Parser[int]:
    """Return a parser of sizes in bytes: `1048576`, `64MiB`, `1.5GB`, and Kubernetes' `64Mi`."""

    def read(text: str) -> int:
        match = _SIZE.match(text)
        if match is None:
            raise RefusedError
        before, after, prefix, binary = match.groups()
        after = after or ""
        factor: int = (1024 if binary else 1000) ** _EXPONENT[prefix] if prefix else 1
        # Whole numbers only: a float is wrong by some bytes from 8 PiB on.
        scale: int = 10 ** len(after)
        number, remainder = divmod(int(before + after) * factor, scale)
        if remainder or not low <= number <= high:
            raise RefusedError
        return number

    return Parser(allowed=f"a size in bytes from {low} to {high_text} (64MiB, 1GB and 64Mi work, too)", read=read)


def choice(values: Mapping[str, T], allowed: str) -> Parser[T]:
    """Return a parser of fixed words (lower case in `values`); the case of the text does not matter."""

    def read(text: str) -> T:
        try:
            return values[text.lower()]
        except KeyError:
            raise RefusedError from None

    return Parser(allowed=allowed, read=read)


def integers(low: int, high: int, *, but: int, what: str) -> Parser[frozenset[int]]:
    """Return a parser of numbers from `low` to `high`, separated by commas, none of them `but`; "" is none at all."""

    def read(text: str) -> frozenset[int]:
        found = set()
        for item in text.split(",") if text else ():
            number = _integer(item.strip())
            if number == but or not low <= number <= high:
                raise RefusedError(f"{number} is not allowed")
            found.add(number)
        return frozenset(found)

    allowed = f"{what} from {low} to {high}, but not {but}, separated by commas; set but empty: none"
    return Parser(allowed=allowed, read=read)
