"""The command line of `dequeuer check`: its own flags, and those of the program that is checked."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from dequeuer.check.plan import CheckedProgram
from dequeuer.core.errors import ConfigurationError, quoted

PROGRAMS: Final[Mapping[str, CheckedProgram]] = {
    "sidecar": "sidecar",
    "proxy": "proxy",
    "gateway": "gateway",
    "webhooks": "webhooks",
    "enqueue": "enqueuer",
    "controller": "controller",
}
"""By the word on the command line."""
MAX_POD_GRACE_S: Final = 1_000_000
_OWN_FLAG: Final = re.compile(r"--?(json|write|pod-grace|h|help)(?:=(.*))?", re.DOTALL)
_SWITCHES: Final = frozenset({"json", "write", "h", "help"})

HELP: Final = """\
Look at every precondition of a program, with its own settings, and say what to do.

Usage:
  dequeuer check [sidecar|proxy|gateway|webhooks|enqueue|controller] [flags]

Without a name, the program is the sidecar; with DEQUEUER_API_KIND RealtimeAPI it is the proxy. Environment and flags
are those of the program: `dequeuer gateway --help` lists those of the gateway, and so on. Nothing is written, and no
message is received.

Flags of its own:
  --json             one JSON document instead of a table
  --write            also begin and abort an upload in the bucket, and delete an object that does not exist, to see
                     whether that is allowed
  --pod-grace N      terminationGracePeriodSeconds of the pod, for when the Kubernetes API may not be asked

States: ok, warning (it works, and could be better), fault, not known (with the reason).
Exit status: 0 no fault; 1 faults; 2 the settings are wrong, each of their faults is listed;
141 whoever reads the output has gone.
Every check, what it reads and what to do: docs/check.md.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The parsed command line.

    Attributes:
        program: that is named; None: none is.
        arguments: the flags of that program.
        is_json: print JSON.
        writes: whether writes that leave nothing behind are allowed.
        pod_grace_s: `terminationGracePeriodSeconds`; None: not given.
        wants_help: print the help only.
    """

    program: CheckedProgram | None
    arguments: Sequence[str]
    is_json: bool = False
    writes: bool = False
    pod_grace_s: int | None = None
    wants_help: bool = False


def parse(argv: Sequence[str]) -> Options:
    """Parse a command line. Raises `ConfigurationError`."""
    rest = list(argv)
    program = PROGRAMS.get(rest[0]) if rest else None
    if rest and program is None and not rest[0].startswith("-"):
        raise ConfigurationError([f"{quoted(rest[0])}: cannot be checked; allowed: {', '.join(PROGRAMS)}"])
    if program is not None:
        del rest[0]
    own: dict[str, str] = {}
    arguments: list[str] = []
    faults: list[str] = []
    rest.reverse()
    while rest:
        argument = rest.pop()
        flag = _OWN_FLAG.fullmatch(argument)
        if flag is None:
            arguments.append(argument)
        elif flag[1] not in _SWITCHES:
            own[flag[1]] = flag[2] if flag[2] is not None else rest.pop() if rest else ""
        elif flag[2] is not None:
            faults.append(f"--{flag[1]}: takes no value; leave out what follows it")
        else:
            own[flag[1]] = ""
    grace = own.get("pod-grace")
    if grace is not None and not (re.fullmatch("[0-9]{1,7}", grace) and int(grace) <= MAX_POD_GRACE_S):
        faults.append(
            f"--pod-grace: {quoted(grace)} is not allowed; allowed: whole seconds from 0 to {MAX_POD_GRACE_S}; "
            "correct it"
        )
    if faults:
        raise ConfigurationError(faults)
    return Options(
        program=program,
        arguments=arguments,
        is_json="json" in own,
        writes="write" in own,
        pod_grace_s=None if grace is None else int(grace),
        wants_help=bool(own.keys() & {"h", "help"}),
    )
