"""Runs a command in a cgroup and on some CPUs.

It is run by its path and imports only the standard library:
`python -I -S enter_limits.py <cgroup folder, or ""> <CPUs: 0,2, or ""> -- <command> ...`. All that the command starts
is limited, too. It replaces itself with the command (exec). A limit that cannot be set ends it: a command that was
meant to be limited never runs without its limit.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

CANNOT_START = 127
"""The exit status that shells use for a command that is not found."""


def main(argv: list[str]) -> int:
    """Replace this process with the command. Returns only when that fails."""
    cgroup, cpus, _, *command = argv[1:]
    try:
        if cgroup:
            (Path(cgroup) / "cgroup.procs").write_text("0", encoding="ascii")  # 0: the process that writes
        if cpus:
            os.sched_setaffinity(0, {int(number) for number in cpus.split(",")})
        os.execvp(command[0], command)  # noqa: S606 - the purpose of this module
    except OSError as error:
        sys.stderr.write(f"cannot start {command[0]}: {error.filename or ''} {error.strerror}\n")
    return CANNOT_START


if __name__ == "__main__":
    sys.exit(main(sys.argv))
