"""Reads the text of a glob pattern; see `globs` for the syntax.

Quirks of gobwas/glob are kept: an open `{` ends with the pattern, a backslash at the end is left out, `[a-z]` holds one
range and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum, auto
from typing import TypeAlias

SEPARATOR = "/"

Accepts: TypeAlias = Callable[[str], bool]


@dataclass(frozen=True, slots=True)
class Term:
    """A part of a pattern: one character that it accepts, or with `repeats` any number of them."""

    accepts: Accepts
    repeats: bool = False


class Group(Enum):
    """The parts of `{a,b}`."""

    OPEN = auto()
    NEXT = auto()
    CLOSE = auto()


Token: TypeAlias = Term | Group


class GlobSyntaxError(ValueError):
    """The text is not a pattern."""


def _any(_character: str) -> bool:
    return True


def _not_separator(character: str) -> bool:
    return character != SEPARATOR


_GROUPS = {"{": Group.OPEN, ",": Group.NEXT, "}": Group.CLOSE}
_LEVELS = {Group.OPEN: 1, Group.NEXT: 0, Group.CLOSE: -1}
_ONE, _STAR, _SUPER = Term(_not_separator), Term(_not_separator, repeats=True), Term(_any, repeats=True)


def tokens(pattern: str) -> Iterator[Token]:
    """Yield the parts of a pattern. Raises `GlobSyntaxError`."""
    at, depth = 0, 0
    while at < len(pattern):
        group = _GROUPS.get(pattern[at])
        if group is Group.OPEN or (group is not None and depth):
            depth += _LEVELS[group]
            at += 1
            yield group
        else:
            term, at = _term(pattern, at)
            if term is not None:
                yield term
    for _ in range(depth):
        yield Group.CLOSE


def _term(pattern: str, at: int) -> tuple[Term | None, int]:
    """Read a term; return it, and the position after it. A backslash at the end is none."""
    character, after = pattern[at], at + 1
    if character == "*":
        return (_SUPER, at + 2) if pattern.startswith("*", after) else (_STAR, after)
    if character == "?":
        return _ONE, after
    if character == "[":
        return _class(pattern, after)
    if character != "\\":
        return Term(character.__eq__), after
    return (Term(pattern[after].__eq__), at + 2) if after < len(pattern) else (None, after)


def _class(pattern: str, at: int) -> tuple[Term, int]:
    """Read a class after its `[`; return it, and the position after its `]`."""
    negated = pattern.startswith("!", at)
    at += negated
    accepts: Accepts
    if pattern.startswith("-", at + 1):
        low, high, at = pattern[at], pattern[at + 2 : at + 3], at + 3
        if not high:
            raise GlobSyntaxError("unexpected end of input")
        if high < low:
            raise GlobSyntaxError(f"hi character '{high}' should be greater than lo '{low}'")
        accepts = _between(low, high)
    else:
        characters, at = _characters(pattern, at)
        accepts = characters.__contains__
        if not characters and at < len(pattern):
            raise GlobSyntaxError("could not parse range")
    if at == len(pattern):
        raise GlobSyntaxError("unexpected end of input")
    if pattern[at] != "]":
        raise GlobSyntaxError("expected close range character")
    return Term(_negation(accepts) if negated else accepts), at + 1


def _characters(pattern: str, at: int) -> tuple[frozenset[str], int]:
    found: set[str] = set()
    while at < len(pattern) and pattern[at] != "]":
        at += pattern[at] == "\\"
        found.update(pattern[at : at + 1])
        at += 1
    return frozenset(found), min(at, len(pattern))


def _between(low: str, high: str) -> Accepts:
    return lambda character: low <= character <= high


def _negation(accepts: Accepts) -> Accepts:
    return lambda character: not accepts(character)
