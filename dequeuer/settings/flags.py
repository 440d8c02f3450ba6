"""Go's flag syntax: `-x v`, `--x v`, `-x=v`, `--x=v`; `--` ends the flags."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Literal

from dequeuer.core.errors import clip, quoted
from dequeuer.core.suggestions import did_you_mean

InfoFlag = Literal["help", "version"]
_INFO_FLAGS: dict[str, InfoFlag] = {"h": "help", "help": "help", "version": "version"}
_BOOLEANS = ("true", "false")
_FLAG = r"(?s)--?(?=.)([^=]*)(?:=(.*))?"


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


def parse_flags(
    argv: Sequence[str], known: Collection[str], of_others: Collection[str] = (), switches: Collection[str] = ()
) -> Flags:
    """Parse a command line.

    Args:
        argv: the arguments.
        known: the flags.
        of_others: the flags of other programs, for a fault that says so.
        switches: those of `known` that may stand without a value; as the next argument they take `true` and `false`.
    """
    flags, rest = Flags(), list(reversed(argv))
    while rest:
        argument = rest.pop()
        flag = re.fullmatch(_FLAG, argument)
        if argument == "--":
            flags.faults += map(_unexpected, reversed(rest))
            break
        if flag is None:
            flags.faults.append(_unexpected(argument))
        elif flag[1] in _INFO_FLAGS and flag[2] is None:
            flags.info = flags.info or _INFO_FLAGS[flag[1]]
        elif flag[2] is None and flag[1] in switches:
            # Cortex writes `--has-tcp-probe false`, in two arguments; Go's own parser would stop there.
            _add(flags, flag[1], rest.pop() if rest and rest[-1] in _BOOLEANS else "true", known, of_others)
        elif flag[2] is None and flag[1] not in _INFO_FLAGS and rest and not _is_flag(rest[-1], known):
            _add(flags, flag[1], rest.pop(), known, of_others)
        else:
            _add(flags, flag[1], flag[2], known, of_others)
    return flags


def _is_flag(argument: str, known: Collection[str]) -> bool:
    """Distinguish a missing value (`--queue --workers 3`) from a value that begins with a dash (`--workers -1`)."""
    flag = re.fullmatch(_FLAG, argument)
    return argument == "--" or (flag is not None and flag[1] in {*known, *_INFO_FLAGS})


def _add(flags: Flags, name: str, value: str | None, known: Collection[str], of_others: Collection[str]) -> None:
    if name in _INFO_FLAGS:
        flags.faults.append(f"--{name}: takes no value; leave out what follows it")
    elif name in of_others:
        flags.faults.append(f"--{name}: not a flag of this command; `dequeuer --help` tells which takes it")
    elif name not in known:
        # The value of an unknown flag is not repeated: it may be a secret.
        flags.faults.append(f"--{clip(name)}: unknown flag{did_you_mean(name, known, '--')}; correct or remove it")
    elif not value or not value.strip():
        flags.faults.append(f"--{name}: has no value; give one (--{name}=...) or remove the flag")
    elif flags.values.setdefault(name, value) != value:
        flags.faults.append(f"--{name}: given twice, as {quoted(flags.values[name])} and {quoted(value)}; remove one")


def _unexpected(argument: str) -> str:
    rule = "a command (proxy, gateway, enqueue, dev) comes first, and all else is flags such as --workers 3"
    return f"{quoted(argument)}: not expected here; {rule}"
