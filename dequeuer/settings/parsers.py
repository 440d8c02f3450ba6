"""From the text of an option to its value: words, numbers and lists."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Generic, TypeVar

from dequeuer.core.errors import quoted

T = TypeVar("T")
C = TypeVar("C")

# The digits are counted: int() refuses more than 4300 with an error of its own, and takes long below that.
_INTEGER = r"-?[0-9]{1,18}"
_DECIMAL = r"-?[0-9]{1,18}(?:\.[0-9]{1,18})?"
_SIZE = r"([0-9]{1,18})(?:\.([0-9]{1,6}))? ?(?:([kKMGT])(i?))?B?"


class InvalidValueError(Exception):
    """The text is not allowed. The error's own text, if any, names the part that is wrong."""


@dataclass(frozen=True, slots=True)
class Parser(Generic[T]):
    """Turns text into a value.

    Attributes:
        allowed: what may be given, in words; follows "allowed:".
        convert: returns the value of a match of `pattern`. None and ValueError, which the standard library raises, mean
            that the text is not allowed; `InvalidValueError` also names the part that is wrong.
        pattern: the form of the whole text, a regular expression.
        unit: of a bare number, for the text of a default.
        takes_empty: whether a variable that is set but empty is a value; otherwise it counts as not set.
    """

    allowed: str
    convert: Callable[[re.Match[str]], T | None]
    pattern: str = "(?s:.*)"
    unit: str = ""
    takes_empty: bool = False

    def read(self, text: str) -> T:
        """Return the value of a text. Raises `InvalidValueError`, and nothing else, if the text is not allowed."""
        # fullmatch, not match with $: that would let a trailing newline through into a key or a header.
        match, value = re.fullmatch(self.pattern, text), None
        with suppress(ValueError):
            value = self.convert(match) if match else None
        if value is None:
            raise InvalidValueError
        return value


def matching(pattern: str, allowed: str) -> Parser[str]:
    """Return a parser of texts of a form; they are not changed."""
    return Parser(allowed, lambda match: match[0], pattern)


def choice(*values: T, allowed: str = "", **synonyms: T) -> Parser[T]:
    """Return a parser of fixed words. The case of the text does not matter; `synonyms` are in lower case."""
    words = {str(value).lower(): value for value in values} | synonyms
    *first, last = map(str, values)
    return Parser(allowed or f"{', '.join(first)} or {last}", lambda match: words.get(match[0].lower()))


def whole(low: int, high: int, what: str = "a whole number", unit: str = "", pattern: str = _INTEGER) -> Parser[int]:
    """Return a parser of whole numbers from `low` to `high`."""

    def convert(match: re.Match[str]) -> int | None:
        number = int(match[0].partition(".")[0])
        return number if low <= number <= high else None

    return Parser(f"{what} from {low} to {high}", convert, pattern, unit)


def whole_seconds(low: int, high: int) -> Parser[int]:
    """Return a parser of whole seconds; `30.0` is whole, too."""
    return whole(low, high, "whole seconds", "s", rf"{_INTEGER}(?:\.0{{1,18}})?")


def seconds(low: int, high: int, *, above: bool = False) -> Parser[float]:
    """Return a parser of seconds from `low` (or, with `above`, from more than that) to `high`."""

    def convert(match: re.Match[str]) -> float | None:
        number = float(match[0])
        return number if low <= number <= high and not (above and number == low) else None

    bounds = f"more than {low}, at most {high}" if above else f"from {low} to {high}"
    return Parser(f"seconds (decimals allowed), {bounds}", convert, _DECIMAL, "s")


def share() -> Parser[float]:
    """Return a parser of a part of a whole."""

    def convert(match: re.Match[str]) -> float | None:
        number = float(match[0])
        return number if 0 <= number <= 1 else None

    return Parser("a number from 0 to 1", convert, _DECIMAL)


def size(low: int, high: int, high_text: str) -> Parser[int]:
    """Return a parser of sizes in bytes: `1048576`, `64MiB`, `1.5GB`, and `64Mi` as Kubernetes writes it."""

    def convert(match: re.Match[str]) -> int | None:
        before, after, prefix, binary = match.groups("")
        factor: int = (1024 if binary else 1000) ** " KMGT".index(prefix.upper() or " ")
        # Whole numbers only: a float is wrong by some bytes from 8 PiB on.
        number, remainder = divmod(int(before + after) * factor, int(10 ** len(after)))
        return number if not remainder and low <= number <= high else None

    return Parser(f"a size in bytes from {low} to {high_text} (64MiB, 1GB and 64Mi work, too)", convert, _SIZE)


def listed(
    item: Parser[T], collect: Callable[[Sequence[T]], C], allowed: str, *, takes_empty: bool = False
) -> Parser[C]:
    """Return a parser of items that commas separate. Of several items the fault names the one that is wrong."""

    def convert(match: re.Match[str]) -> C:
        values = []
        for text in match[0].split(",") if match[0] else ():
            try:
                values.append(item.read(text.strip()))
            except InvalidValueError as error:
                default = f"because of {quoted(text.strip())}" if text != match[0] else ""
                raise InvalidValueError(str(error) or default) from None
        return collect(values)

    return Parser(allowed, convert, "(?s:.*)" if takes_empty else "(?s:.+)", takes_empty=takes_empty)


BOOLEAN = choice(True, False, allowed="true or false")
OBJECT_SIZE = size(1, 48 * 2**30, "48GiB")
"""A streamed upload can write 48 GiB: 10,000 parts, each of 5 MiB when the size is not known ahead."""
PORT = whole(1, 65535, "a port")
RETENTION_DAYS = whole(0, 3650, "whole days", "days")
STATUSES: Parser[frozenset[int]] = listed(
    whole(100, 599, pattern=r"(?!0*200\Z)[0-9]{1,18}"),
    frozenset,
    "HTTP statuses from 100 to 599, but not 200, separated by commas; set but empty: none",
    takes_empty=True,
)
