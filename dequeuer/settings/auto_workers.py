"""A number that the program may find by itself: `auto`, or `auto:MAX`."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dequeuer.settings.parsers import Parser


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoWorkers:
    """The program finds the number, between 1 and `maximum`."""

    maximum: int


def number_or_auto(number: Parser[int], default_maximum: int) -> Parser[int | AutoWorkers]:
    """Return a parser of a number, or of the word `auto`; `default_maximum` is that of the word alone."""

    def convert(match: re.Match[str]) -> int | AutoWorkers:
        word, colon, maximum = match[0].partition(":")
        if word.lower() != "auto":
            return number.read(match[0])
        return AutoWorkers(maximum=number.read(maximum) if colon else default_maximum)

    return Parser(f"{number.allowed}, or auto (at most {default_maximum}), or auto:MAX", convert)
