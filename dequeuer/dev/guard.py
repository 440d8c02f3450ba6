"""Starts a part so that it ends when `dequeuer dev` does, however that ends.

Run by its path, with nothing but the standard library: `python -I -S guard.py <pid of dequeuer dev> <command> ...`.
It becomes the command (exec), so there is no process in between. After `kill -9` of the parent the kernel sends
SIGTERM (Linux only; elsewhere a parent that is killed hard leaves its parts behind).
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
CANNOT_START = 127
"""The shell's status for a command that is not found."""


def main(argv: list[str]) -> int:
    """Become the command. Returns only when that does not work."""
    parent, command = int(argv[1]), argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != parent:  # it ended before the line above
        return CANNOT_START
    try:
        os.execvp(command[0], command)  # noqa: S606 - the whole purpose
    except OSError as error:
        sys.stderr.write(f"cannot start {command[0]}: {error.strerror}\n")
    return CANNOT_START


if __name__ == "__main__":
    sys.exit(main(sys.argv))
