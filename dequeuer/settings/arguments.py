"""Types of arguments for the commands that use argparse."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from dequeuer.core.errors import clip

MAX_DIGITS = 20
"""Longer texts are refused before they are parsed, which takes long for many digits."""


def whole_number(low: int, high: int) -> Callable[[str], int]:
    """Return a function that parses a whole number within limits. argparse shows its error text unchanged."""

    def read(text: str) -> int:
        if text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS and low <= int(text) <= high:
            return int(text)
        raise argparse.ArgumentTypeError(f'"{clip(text)}" is not a whole number from {low} to {high}')

    return read
