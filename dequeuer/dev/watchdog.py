"""Ends what `dequeuer dev` has started when it is over, however it ended: `kill -9`, too.

It is run by its path and imports only the standard library:
`python -I -S watchdog.py <marker> <folder>`. Its standard input is a pipe from `dequeuer dev`, whose end is the end of
`dequeuer dev`. Then every process gets a moment for its own end (the kernel has sent SIGTERM to the children);
those that are still there are killed, also children of a shell script, which get no signal of the kernel. All are found
by a variable in their environment, which they inherit (Linux only). Last, the folder is deleted.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

GRACE_S = 3.0
"""For processes whose parent was killed. Nothing that they could save outlives the local SQS and S3."""
KILL_TIMEOUT_S = 10.0
POLL_INTERVAL_S = 0.05
OVER = b"over"
"""Written to the pipe when all processes were stopped in order: what is left has no grace."""


def main(argv: list[str]) -> int:
    """Wait for the end of `dequeuer dev`; then end its processes and delete its folder."""
    marker, folder = argv[1], argv[2]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it must outlive the others
    said = sys.stdin.buffer.read()
    if said != OVER:
        _until_gone(marker, GRACE_S, None)
    _until_gone(marker, KILL_TIMEOUT_S, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)
    return 0


def _until_gone(marker: str, timeout_s: float, number: signal.Signals | None) -> None:
    ends = time.monotonic() + timeout_s
    is_clean = False
    while time.monotonic() < ends:
        found = list(_marked(marker))
        for descriptor in found:
            if number is not None:
                with suppress(ProcessLookupError, PermissionError):
                    signal.pidfd_send_signal(descriptor, number)
            os.close(descriptor)
        # Looked for twice: a process can be in the middle of starting another one.
        if not found and is_clean:
            return
        is_clean = not found
        time.sleep(POLL_INTERVAL_S)


def _marked(marker: str) -> Iterator[int]:
    """Yield a descriptor of each process with the marker, so that no other process gets a signal under its id."""
    entry = marker.encode()
    for folder in Path("/proc").glob("[0-9]*"):
        pid = int(folder.name)
        if pid == os.getpid():
            continue
        try:
            descriptor = os.pidfd_open(pid)
        except OSError:
            continue
        try:
            is_marked = entry in (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            is_marked = False
        if is_marked:
            yield descriptor
        else:
            os.close(descriptor)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
