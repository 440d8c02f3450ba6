"""Finds the ends of JSON containers with Python's own scanner, which is written in C: small ones of any depth.

The patterns of `json_patterns` match a few levels, and what is deeper costs Python code for each token: ten times the
time, which hostile text can cause throughout. The scanner reads bytes as Latin-1, so that its positions are those of
bytes; whether they are UTF-8 is for others to check.
"""

from __future__ import annotations

import json
import re
from typing import Final, NoReturn

WINDOW_BYTES: Final = 8 * 1024
"""A container that ends so soon is found. The scanner builds objects, so this bounds their memory."""
MAX_FOUND_BYTES: Final = 2 * WINDOW_BYTES
"""The largest container that is found."""
MAX_CREDIT: Final = 256 * 1024
"""Bytes that may be read in vain."""
MAX_ITEMS: Final = 64
"""Found in turn. What follows may be for the patterns again, which are faster."""
_CREDIT_FOR_ATTEMPT, _CREDIT_FOR_BYTE = 16, 4
_match_to_next = re.compile(rb"[ \t\n\r]*+,[ \t\n\r]*+(?=[\[{])").match


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


# `len` instead of `int`: Python converts no long numbers.
_scan = json.JSONDecoder(parse_int=len, parse_float=len, parse_constant=_refuse).raw_decode


class ContainerScanner:
    """Scans containers of one text, or of one piece of it after the other.

    Of a container that is not JSON, or ends too late, everything was read in vain. What was read to some use limits
    that, so the time stays proportional to the length of the text, whatever it holds.
    """

    def __init__(self) -> None:
        self._credit = MAX_CREDIT
        self._text = b""
        self._start = 0
        self._window = ""
        """The text from `_start` on, as far as it was decoded."""

    def end(self, text: bytes, at: int) -> int | None:
        """Return the position after the container that begins at `at`; None: it is to be read in another way.

        A container that is found is JSON, but for UTF-8.
        """
        start, window = self._decoded(text, at)
        if self._credit < len(window):
            return None
        try:
            _, end = _scan(window, at - start)
        except (ValueError, RecursionError):
            self._credit -= start + len(window) - at
            return None
        self._credit = min(MAX_CREDIT, self._credit + _CREDIT_FOR_BYTE * (start + end - at))
        return start + end

    def items(self, text: bytes, at: int) -> tuple[int, int]:
        """Return the end of the last of some containers that follow each other after commas, and how many these are."""
        end, count, found = at, 0, self.end(text, at)
        while found is not None:
            end, count = found, count + 1
            following = _match_to_next(text, end)
            if following is None or count == MAX_ITEMS:
                break
            found = self.end(text, following.end())
        return end, count

    def _decoded(self, text: bytes, at: int) -> tuple[int, str]:
        self._credit += _CREDIT_FOR_ATTEMPT
        left = self._start + len(self._window) - at
        if text is not self._text or at < self._start or (left < WINDOW_BYTES and at + left < len(text)):
            self._text, self._start = text, at
            self._window = text[at : at + MAX_FOUND_BYTES].decode("latin-1")
        return self._start, self._window
