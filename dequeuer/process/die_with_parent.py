"""Runs a command that gets SIGTERM when its parent ends, even when that is killed.

It is run by its path and imports only the standard library:
`python -I -S die_with_parent.py <pid of the parent> <command> ...`. It replaces itself with the command (exec), so
there is no process in between. After `kill -9` of the parent the kernel sends SIGTERM. This works on Linux only: on
other systems the child processes keep running when the parent is killed.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
CANNOT_START = 127
"""The exit status that shells use for a command that is not found."""


def main(argv: list[str]) -> int:
    """Replace this process with the command. Returns only when that fails."""
    parent, command = int(argv[1]), argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != parent:  # the parent ended before prctl was called
        return CANNOT_START
    try:
        os.execvp(command[0], command)  # noqa: S606 - the purpose of this module
    except OSError as error:
        sys.stderr.write(f"cannot start {command[0]}: {error.strerror}\n")
    return CANNOT_START


if __name__ == "__main__":
    sys.exit(main(sys.argv))
