"""The commands, with their flags and how many words they take: those of Cortex 0.42."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Flag:
    """A flag. `letter`: "": it has only its name; `allowed`: values; none: any, of a switch `true` and `false`."""

    name: str
    letter: str = ""
    takes_value: bool = False
    allowed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """A command.

    Attributes:
        usage: its words and flags, for people.
        text: what it does.
        least: how many words it takes.
        most: the same.
        flags: that it takes.
    """

    usage: str
    text: str
    least: int = 0
    most: int = 0
    flags: tuple[Flag, ...] = ()

    @property
    def takes(self) -> str:
        """How many words it takes, in words."""
        if self.most == 0:
            return "no arguments"
        count = str(self.least) if self.least == self.most else f"{self.least} to {self.most}"
        return f"{count} {'argument' if self.most == 1 else 'arguments'}"


_HELP: Final = Flag(name="help", letter="h")
_ENV: Final = Flag(name="env", letter="e", takes_value=True)
_OUTPUT: Final = Flag(name="output", letter="o", takes_value=True, allowed=("pretty", "json"))
_WATCH: Final = Flag(name="watch", letter="w")
_VERBOSE: Final = Flag(name="verbose", letter="v")
_FORCE: Final = Flag(name="force", letter="f")
_YES: Final = Flag(name="yes", letter="y")
_KEEP_CACHE: Final = Flag(name="keep-cache", letter="c")
_ENDPOINT: Final = Flag(name="operator-endpoint", letter="o", takes_value=True)
_TOKEN_FILE: Final = Flag(name="token-file", takes_value=True)
_RANDOM_POD: Final = Flag(name="random-pod")


def _command(usage: str, text: str, words: tuple[int, int], *flags: Flag) -> Command:
    return Command(usage=usage, text=text, least=words[0], most=words[1], flags=(*flags, _HELP))


COMMANDS: Final[Mapping[tuple[str, ...], Command]] = {
    ("deploy",): _command("deploy [FILE]", "tells how APIs are deployed", (0, 1), _ENV, _FORCE, _YES, _OUTPUT),
    ("get",): _command(
        "get [API [JOB]] [-e ENV] [-o pretty|json] [-w] [-v]",
        "shows APIs, an API, or a job",
        (0, 2),
        *(_ENV, _WATCH, _OUTPUT, _VERBOSE),
    ),
    ("describe",): _command("describe API [-e ENV] [-w]", "shows an API with its configuration", (1, 1), _ENV, _WATCH),
    ("logs",): _command("logs API [JOB]", "tells where logs are", (1, 2), _ENV, _YES, _RANDOM_POD),
    ("refresh",): _command("refresh API", "tells how the pods of an API are replaced", (1, 1), _ENV, _FORCE, _OUTPUT),
    ("delete",): _command(
        "delete API [JOB] [-e ENV] [-o pretty|json]",
        "stops a job; of an API it tells how it is deleted",
        (1, 2),
        *(_ENV, _FORCE, _KEEP_CACHE, _OUTPUT),
    ),
    **{
        ("cluster", name): _command(f"cluster {name}", "tells what is done instead", (0, 9), _ENV, _YES, _OUTPUT)
        for name in ("up", "scale", "configure", "info", "down", "export", "health")
    },
    ("env", "configure"): _command(
        "env configure NAME [-o URL] [--token-file FILE]",
        "adds an environment, or changes its address",
        (1, 1),
        *(_ENDPOINT, _TOKEN_FILE),
    ),
    ("env", "list"): _command("env list [-o pretty|json]", "lists the environments", (0, 0), _OUTPUT),
    ("env", "default"): _command("env default [NAME]", "shows or sets the default environment", (0, 1)),
    ("env", "rename"): _command("env rename NAME NEW_NAME", "renames an environment", (2, 2)),
    ("env", "delete"): _command("env delete NAME", "forgets an environment", (1, 1)),
    ("version",): _command("version [-e ENV]", "prints the version", (0, 0), _ENV),
    ("completion",): _command("completion [SHELL]", "tells that there is none", (0, 1)),
}
"""By their words."""
VALUE_FLAGS: Final = frozenset(
    text
    for command in COMMANDS.values()
    for flag in command.flags
    if flag.takes_value
    for text in (f"--{flag.name}", f"-{flag.letter}")
) - {"-"}
"""Flags whose value is the next word, of any command: a command may stand behind them."""
