r"""Glob patterns with the syntax and meaning of gobwas/glob, the library of Cortex, with `/` as the separator.

| pattern | matches |
| --- | --- |
| `*` | any characters but `/` |
| `**` | any characters |
| `?` | one character but `/` |
| `[abc]`, `[!abc]`, `[a-z]`, `[!a-z]` | one character, `/` too; a class is either a list or one range |
| `{a,b}` | any of the patterns; may be nested |
| `\` | the character after it is taken as it is |

A pattern matches a whole text. It is compiled to an automaton whose states are computed when they are first needed, so
a match takes time in proportion to the length of the text, whatever the pattern is.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from dequeuer.core.errors import DequeuerError
from dequeuer.jobs.glob_syntax import GlobSyntaxError, Group, Term, tokens

MAX_PATTERN_CHARS = 4096
"""Several times the longest path in S3."""
MAX_CACHED_STEPS = 20_000
"""Steps of the automaton that are remembered; more are computed again."""


class GlobError(DequeuerError):
    """The text is not a pattern. The error's text is that of gobwas/glob."""


class Glob:
    """A compiled pattern; see `compile_glob`."""

    def __init__(self, parts: Iterator[Group | Term]) -> None:
        self._terms: list[tuple[Term, int] | None] = []
        """For each state a term, and the state after it."""
        self._jumps: list[list[int]] = []
        """For each state those that are reached without a character."""
        self._end = self._build(parts)
        self._start = self._reachable([0])
        self._cache: dict[tuple[frozenset[int], str], frozenset[int]] = {}

    def matches(self, text: str) -> bool:
        """Return whether the pattern matches the whole text."""
        states, cache = self._start, self._cache
        for character in text:
            following = cache.get((states, character))
            states = self._follow(states, character) if following is None else following
            if not states:
                return False
        return self._end in states

    def _follow(self, states: frozenset[int], character: str) -> frozenset[int]:
        reached = []
        for state in states:
            step = self._terms[state]
            if step is not None and step[0].accepts(character):
                reached.append(state if step[0].repeats else step[1])
        following = self._reachable(reached)
        if len(self._cache) >= MAX_CACHED_STEPS:
            self._cache.clear()
        self._cache[states, character] = following
        return following

    def _reachable(self, states: Iterable[int]) -> frozenset[int]:
        """Return the states, and those that are reached from them without a character."""
        found = set(states)
        left = list(found)
        while left:
            new = [target for target in self._jumps[left.pop()] if target not in found]
            found.update(new)
            left += new
        return frozenset(found)

    def _build(self, parts: Iterator[Group | Term]) -> int:
        """Make the states; return the last one. Open groups are on a stack: patterns may be nested without limit."""
        at = self._add_state()
        groups: list[tuple[int, int]] = []
        for part in parts:
            if isinstance(part, Term):
                after = self._add_state()
                self._terms[at] = part, after
                if part.repeats:
                    self._jumps[at].append(after)
                at = after
                continue
            if part is Group.OPEN:
                groups.append((at, self._add_state()))
            else:
                self._jumps[at].append(groups[-1][1])
            if part is Group.CLOSE:
                at = groups.pop()[1]
            else:
                at = self._add_state()
                self._jumps[groups[-1][0]].append(at)
        return at

    def _add_state(self) -> int:
        self._terms.append(None)
        self._jumps.append([])
        return len(self._terms) - 1


def compile_glob(pattern: str) -> Glob:
    """Return the compiled pattern. Raises `GlobError`."""
    if len(pattern) > MAX_PATTERN_CHARS:
        raise GlobError(f"the pattern is longer than {MAX_PATTERN_CHARS} characters")
    try:
        return Glob(tokens(pattern))
    except GlobSyntaxError as error:
        raise GlobError(str(error)) from None
