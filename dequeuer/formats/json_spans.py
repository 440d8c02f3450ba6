"""Where the parts of a JSON text are: values keep their bytes, and no objects are built of them.

All functions take text that is JSON (`json_text.check_json`); positions are those of bytes. Another text gives wrong
spans or an `IndexError` or `ValueError`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from dequeuer.formats.json_patterns import (
    MAX_MATCH_BYTES,
    match_closings,
    match_items,
    match_members,
    match_openings,
    match_value,
    match_whitespace,
    replace_strings,
)
from dequeuer.formats.json_scan import ContainerScanner

Span = tuple[int, int]
"""The first byte of a value, and the one after its last."""

_QUOTE, _BACKSLASH, _COMMA = b'"\\,'
_WHITESPACE = b" \t\n\r"
_OPENING, _CLOSING = frozenset(b"[{"), frozenset(b"]}")
_find_token = re.compile(rb'["\[\]{}]').search
_match_between = re.compile(rb"[, \t\n\r]*+").match
_match_scalar = re.compile(rb"[^,\]} \t\n\r]*+").match


def value_start(text: bytes, at: int) -> int:
    """Return the position of the value that follows whitespace."""
    return match_whitespace(text, at).end()  # type: ignore[union-attr] # always matches


def value_end(text: bytes, start: int, scanner: ContainerScanner | None = None) -> int:
    """Return the position after the value that begins at `start`. `scanner`: of the text, for many values."""
    if text[start] == _QUOTE:
        return string_end(text, start)
    if text[start] not in _OPENING:
        return _match_scalar(text, start).end()  # type: ignore[union-attr] # always matches
    small = match_value(text, start, start + MAX_MATCH_BYTES)
    if small is not None:
        return small.end()
    scanner = scanner or ContainerScanner()
    return scanner.end(text, start) or _container_end(text, start, scanner)


def string_end(text: bytes, start: int) -> int:
    """Return the position after the string that begins at `start`."""
    at = start + 1
    while True:
        end = text.index(b'"', at)
        backslashes = end
        while text[backslashes - 1] == _BACKSLASH:
            backslashes -= 1
        at = end + 1
        if (end - backslashes) % 2 == 0:  # else the quote is escaped
            return at


def elements(text: bytes, start: int = 0) -> Iterator[Span]:
    """Yield the elements of the array that begins at `start`."""
    scanner = ContainerScanner()
    at = value_start(text, start + 1)
    while text[at] not in _CLOSING:
        end = value_end(text, at, scanner)
        yield at, end
        at = _after_comma(text, end)


def members(text: bytes, start: int = 0) -> Iterator[tuple[str, Span]]:
    """Yield the names and the values of the object that begins at `start`, also when a name occurs twice."""
    scanner = ContainerScanner()
    at = value_start(text, start + 1)
    while text[at] not in _CLOSING:
        name_end = string_end(text, at)
        name = json.loads(text[at:name_end])
        at = value_start(text, value_start(text, name_end) + 1)
        end = value_end(text, at, scanner)
        yield name, (at, end)
        at = _after_comma(text, end)


def larger_elements(text: bytes, limit: int, start: int = 0) -> Iterator[tuple[int, int]]:
    """Yield index and size of each element of an array that is larger than `limit` bytes (at least 16 KiB).

    Small elements are skipped many at a time; they are counted only when a larger one was found.
    """
    scanner = ContainerScanner()
    at = counted_to = value_start(text, start + 1)
    index = 0
    while text[at] not in _CLOSING:
        skipped = match_items(text, at, at + MAX_MATCH_BYTES).end()  # type: ignore[union-attr] # always matches
        if skipped > at:
            at = value_start(text, skipped)
            continue
        if text[at] in _OPENING and (end := scanner.items(text, at)[0]) > at:  # none of them is so large
            at = _after_comma(text, end)
            continue
        end = value_end(text, at, scanner)
        if end - at > limit:
            index += _count(text, counted_to, at, scanner)
            counted_to = at
            yield index, end - at
        at = _after_comma(text, end)


def _count(text: bytes, at: int, end: int, scanner: ContainerScanner) -> int:
    """Return how many elements of an array are between two positions at which elements begin."""
    count = 0
    while at < end:
        found, containers = scanner.items(text, at) if text[at] in _OPENING else (at, 0)
        if not containers:
            found, containers = value_end(text, at, scanner), 1
        count += containers
        at = _after_comma(text, found)
    return count


def _after_comma(text: bytes, end: int) -> int:
    at = value_start(text, end)
    return value_start(text, at + 1) if text[at] == _COMMA else at


def _container_end(text: bytes, start: int, scanner: ContainerScanner) -> int:
    depth, at = 0, start
    while True:
        if depth:
            at = _match_between(text, at).end()  # type: ignore[union-attr] # always matches
            end = match_items(text, at, at + MAX_MATCH_BYTES).end()  # type: ignore[union-attr] # always matches
            end = match_members(text, end, end + MAX_MATCH_BYTES).end()  # type: ignore[union-attr] # always matches
            if end > at:
                at = end
                continue
        token = _find_token(text, at)
        if token is None:
            raise ValueError("the container does not end")
        at = token.start()
        if text[at] == _QUOTE:
            at = string_end(text, at)
        elif text[at] in _CLOSING:
            end = match_closings(text, at, at + MAX_MATCH_BYTES).end()  # type: ignore[union-attr] # always matches
            closed = len(text[at:end].translate(None, _WHITESPACE))
            if closed >= depth:
                return _nth_closing(text, at, depth)
            depth, at = depth - closed, end
        elif depth and (end := scanner.items(text, at)[0]) > at:
            at = end
        else:
            end = match_openings(text, at, at + MAX_MATCH_BYTES).end()  # type: ignore[union-attr] # always matches
            opened = len(replace_strings(b"", text[at:end]).translate(None, _WHITESPACE + b":"))
            depth, at = depth + max(1, opened), max(at + 1, end)


def _nth_closing(text: bytes, at: int, number: int) -> int:
    """Return the position after so many closing brackets, between which is only whitespace."""
    for _ in range(number):
        at = value_start(text, at) + 1
    return at
