"""Go's flag syntax: `-x v`, `--x v`, `-x=v`, `--x=v`; `--` ends the flags."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

from dequeuer.core.errors import clip
from dequeuer.core.suggestions import did_you_mean
from dequeuer.settings.url_parsers import mask

InfoFlag = Literal["help", "version"]
_INFO_FLAGS: dict[str, InfoFlag] = {"h": "help", "help": "help", "version": "version"}


@dataclass(slots=True, kw_only=True)
class Flags:
    """The content of a command line.

    Attributes:
        values: by flag, without dashes.
        info: the first of `--help` and `--version`, wherever it stands.
        faults: everything that is not valid.
    """

    values: dict[str, str] = field(default_factory=dict)
    info: InfoFlag | None = None
    faults: list[str] = field(default_factory=list)


def _split(argument: str) -> tuple[str, str | None] | None:
    """Return name and value of a flag; None when the argument is not a flag."""
    if not argument.startswith("-") or argument == "-":
        return None
    name, equals, value = argument[1:].removeprefix("-").partition("=")
    return name, value if equals else None


def parse_flags(argv: Sequence[str], known: Collection[str], of_others: Collection[str] = ()) -> Flags:
    """Parse a command line. `of_others` are the flags of other programs, for a fault that says so."""
    flags = Flags()
    rest = list(reversed(argv))
    while rest:
        argument = rest.pop()
        if argument == "--":
            flags.faults += map(_unexpected, reversed(rest))
            break
        split = _split(argument)
        if split is None:
            flags.faults.append(_unexpected(argument))
            continue
        name, value = split
        if name in _INFO_FLAGS:
            if value is None:
                flags.info = flags.info or _INFO_FLAGS[name]
            else:
                flags.faults.append(f"--{name}: takes no value; leave out what follows it")
            continue
        if value is None and rest and not _is_flag(rest[-1], known):
            value = rest.pop()
        _add(flags, name, value, known, of_others)
    return flags


def _is_flag(argument: str, known: Collection[str]) -> bool:
    """Distinguish a missing value (`--queue --workers 3`) from a value that begins with a dash (`--workers -1`)."""
    split = _split(argument)
    return argument == "--" or (split is not None and (split[0] in known or split[0] in _INFO_FLAGS))


def _add(flags: Flags, name: str, value: str | None, known: Collection[str], of_others: Collection[str]) -> None:
    if name in of_others:
        flags.faults.append(f"--{name}: not a flag of this command; `dequeuer --help` tells which takes it")
    elif name not in known:
        # The value of an unknown flag is not repeated: it may be a secret.
        flags.faults.append(f"--{clip(name)}: unknown flag{did_you_mean(name, known, '--')}; correct or remove it")
    elif value is None or not value.strip():
        flags.faults.append(f"--{name}: has no value; give one (--{name}=...) or remove the flag")
    elif flags.values.setdefault(name, value) != value:
        first, second = (clip(mask(text)) for text in (flags.values[name], value))
        flags.faults.append(f'--{name}: given twice, as "{first}" and "{second}"; remove one')


def _unexpected(argument: str) -> str:
    return (
        f'"{clip(mask(argument))}": not expected here; '
        "a command (gateway, dev) comes first, and all else is flags such as --workers 3"
    )
