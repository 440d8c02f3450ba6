"""Reads a command line as Cortex's did: flags stand anywhere, and the beginning of a command is enough.

argparse is not used: it takes no flags between subcommands, and says otherwise what is wrong.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dequeuer.core.errors import DequeuerError, quoted
from dequeuer.cortex_command.commands import COMMANDS, VALUE_FLAGS, Command, Flag

_HELP: Final = frozenset({"-h", "--help", "help"})
_TRUE: Final = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE: Final = frozenset({"0", "f", "F", "false", "FALSE", "False"})


class UsageError(DequeuerError):
    """The command line cannot be understood. The text says why, and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Invocation:
    """A command line.

    Attributes:
        command: what to do; None: only show what there is.
        path: the words of the command that were given.
        words: what stands behind them.
        values: of the flags that take one, by their names.
        switches: names of the flags that are on.
    """

    command: Command | None
    path: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    values: Mapping[str, str]
    switches: frozenset[str] = frozenset()

    @property
    def is_json(self) -> bool:
        """Whether programs read the output."""
        return self.values.get("output") == "json"


def parse(argv: Sequence[str]) -> Invocation:
    """Return what a command line asks for. Raises `UsageError`."""
    path, rest = _command_path(list(argv))
    command = COMMANDS.get(path)
    if command is None:
        if rest and rest[0] not in _HELP:
            raise UsageError(f"unknown command: {quoted(' '.join([*path, rest[0]]))}; `--help` lists all of them")
        return Invocation(command=None, path=path, values={})
    reader = _FlagReader(command)
    reader.read(rest)
    count = len(reader.words)
    if "help" not in reader.switches and not command.least <= count <= command.most:
        raise UsageError(f"{' '.join(path)} takes {command.takes}, and {count} are given: {command.usage}")
    return Invocation(
        command=command,
        path=path,
        words=tuple(reader.words),
        values=reader.values,
        switches=frozenset(reader.switches),
    )


def _command_path(argv: list[str]) -> tuple[tuple[str, ...], list[str]]:
    """Return the words of the command, in full, and all the other arguments."""
    path: tuple[str, ...] = ()
    at = 0
    while at < len(argv) and path not in COMMANDS:
        argument = argv[at]
        if argument == "--":
            break
        if argument.startswith("-") and len(argument) > 1:
            at += 2 if argument in VALUE_FLAGS else 1
            continue
        found = _next_word(path, argument)
        if found is None:
            return path, argv[at:]
        path = (*path, found)
        del argv[at]
    return path, argv


def _next_word(path: tuple[str, ...], given: str) -> str | None:
    """Return the word of a command that the given one is, or is the beginning of."""
    possible = {one[len(path)] for one in COMMANDS if one[: len(path)] == path}
    if given in possible:
        return given
    beginning = [word for word in possible if word.startswith(given)]
    return beginning[0] if given and len(beginning) == 1 else None


class _FlagReader:
    """Reads the arguments of a command, from the first to the last."""

    def __init__(self, command: Command) -> None:
        self._command = command
        self._rest: deque[str] = deque()
        self.words: list[str] = []
        self.values: dict[str, str] = {}
        self.switches: set[str] = set()

    def read(self, arguments: Sequence[str]) -> None:
        """Read all arguments."""
        self._rest.extend(arguments)
        while self._rest:
            argument = self._rest.popleft()
            if argument == "--":
                self.words += self._rest
                return
            if argument.startswith("--"):
                name, is_given, value = argument.removeprefix("--").partition("=")
                self._set(self._flag("--", name), value if is_given else None)
            elif argument.startswith("-") and argument != "-":
                self._read_letters(argument.removeprefix("-"))
            else:
                self.words.append(argument)

    def _read_letters(self, letters: str) -> None:
        """Read `w`, `wv`, `o` before its value, `ojson` or `o=json`."""
        while letters:
            flag, letters = self._flag("-", letters[0]), letters[1:]
            if letters and (flag.takes_value or letters.startswith("=")):
                self._set(flag, letters.removeprefix("="))
                return
            self._set(flag, None)

    def _flag(self, dashes: str, given: str) -> Flag:
        for flag in self._command.flags:
            if given and given == (flag.name if dashes == "--" else flag.letter):
                return flag
        raise UsageError(f"unknown flag: {quoted(dashes + given)}; allowed: {self._command.usage}")

    def _set(self, flag: Flag, value: str | None) -> None:
        if not flag.takes_value:
            if value is None or value in _TRUE:
                self.switches.add(flag.name)
            elif value in _FALSE:
                self.switches.discard(flag.name)
            else:
                raise UsageError(f"--{flag.name} is {quoted(value)}; allowed: true or false")
            return
        if value is None:
            if not self._rest:
                raise UsageError(f"--{flag.name} needs a value: {self._command.usage}")
            value = self._rest.popleft()
        if flag.allowed and value not in flag.allowed:
            raise UsageError(f"--{flag.name} is {quoted(value)}; allowed: {' or '.join(flag.allowed)}")
        self.values[flag.name] = value
