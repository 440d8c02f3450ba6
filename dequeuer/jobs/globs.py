r"""Glob patterns with the syntax and meaning of gobwas/glob, the library of Cortex, with `/` as the separator.

| pattern | matches |
| --- | --- |
| `*` | any characters but `/` |
| `**` | any characters |
| `?` | one character but `/` |
| `[abc]`, `[!abc]`, `[a-z]`, `[!a-z]` | one character, `/` too; a class is either a list or one range |
| `{a,b}` | any of the patterns; may be nested |
| `\` | the character after it is taken as it is |

A pattern matches a whole text. All patterns of a list become one automaton, whose states are computed when they are
first needed: a match takes time in proportion to the length of the text, whatever the patterns are, and bounded memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from dequeuer.core.errors import DequeuerError
from dequeuer.jobs.glob_syntax import GlobSyntaxError, Group, Term, tokens

MAX_PATTERN_CHARS: Final = 4096
"""Several times the longest path in S3."""
MAX_LIST_CHARS: Final = 64 * 1024
"""Of all patterns of a list. A step that was not made before takes time in proportion to it."""
MAX_WORK: Final = 20_000
"""States that are looked at between two pauses of `Glob.scan`, about 10 ms."""
MAX_CACHED: Final = 200_000
"""States in the sets that are remembered, about 20 MB; more are computed again."""
_SET_COST = 8
"""What the set itself takes, in states."""


class GlobError(DequeuerError):
    """The text is not a pattern. The error's text is that of gobwas/glob."""


class Glob:
    """Compiled patterns; see `compile_globs`."""

    def __init__(self, patterns: Iterable[Iterator[Group | Term]]) -> None:
        self._terms: list[tuple[Term, int] | None] = []
        """For each state a term, and the state after it."""
        self._jumps: list[list[int]] = []
        """For each state those that are reached without a character."""
        begin = self._add_state()
        ends = set[int]()
        for parts in patterns:
            self._jumps[begin].append(len(self._terms))
            ends.add(self._build(parts))
        self._ends = frozenset(ends)
        self._start = self._reachable([begin])
        self._steps: dict[tuple[frozenset[int], str], frozenset[int]] = {}
        self._sets: dict[frozenset[int], frozenset[int]] = {}
        """One object for all equal sets: comparing large ones takes long."""
        self._cached = self._work = 0

    def scan(self, text: str) -> Iterator[bool | None]:
        """Yield whether a pattern matches the whole text, and None for each pause before it.

        Hazard: a long text and hostile patterns take seconds, so nothing else would run in the event loop.
        """
        states, steps = self._start, self._steps
        self._work += len(text)
        for character in text:
            following = steps.get((states, character))
            if following is None:
                self._work += len(states)
                if self._work > MAX_WORK:
                    self._work = 0
                    yield None
                following = self._follow(states, character)
            if not following:
                yield False
                return
            states = following
        yield not self._ends.isdisjoint(states)

    def _follow(self, states: frozenset[int], character: str) -> frozenset[int]:
        reached = []
        for state in states:
            step = self._terms[state]
            if step is not None and step[0].accepts(character):
                reached.append(state if step[0].repeats else step[1])
        following = self._reachable(reached)
        if self._cached > MAX_CACHED:
            self._steps.clear()
            self._sets.clear()
            self._cached = 0
        known = self._sets.setdefault(following, following)
        self._cached += _SET_COST + (len(known) if known is following else 0)
        self._steps[states, character] = known
        return known

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


def compile_globs(patterns: Sequence[str]) -> Glob:
    """Return the compiled patterns of a list. Raises `GlobError`: of the first one that is none."""
    if sum(map(len, patterns)) > MAX_LIST_CHARS:
        raise GlobError(f"the patterns have more than {MAX_LIST_CHARS} characters")
    if any(len(pattern) > MAX_PATTERN_CHARS for pattern in patterns):
        raise GlobError(f"the pattern is longer than {MAX_PATTERN_CHARS} characters")
    try:
        return Glob(map(tokens, patterns))
    except GlobSyntaxError as error:
        raise GlobError(str(error)) from None


def compile_glob(pattern: str) -> Glob:
    """Return the compiled pattern. Raises `GlobError`."""
    return compile_globs([pattern])
