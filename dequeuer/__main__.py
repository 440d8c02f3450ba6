"""`python -m dequeuer`, and the `dequeuer` command."""

from __future__ import annotations

import os
import sys

from dequeuer.process.early_signals import STOPPED_STATUS, exit_on_signals

_STATUSES = {
    "enqueue": STOPPED_STATUS,
    "jobs": None,
    "submit": None,
    "status": None,
    "result": None,
    "wait": None,
    "cancel": None,
    "tail": None,
    "list": None,
    "dlq": None,
    "cortex": None,
    "dev": None,
    "check": None,
    "provision": None,
    "manifests": None,
    "token": None,
}
"""Exit statuses of commands that a signal ends while they are imported; None: that of the signal."""


def _early_status() -> int | None:
    command = "".join(sys.argv[1:2])
    # Settings cannot be read yet.
    fails = os.environ.get("DEQUEUER_FAIL_WHEN_STOPPED", "").lower() == "true"
    if fails and (not command or command.startswith("-")):
        return STOPPED_STATUS
    return _STATUSES.get(command, 0)


def main() -> None:
    """Run the command line and exit with its status."""
    exit_on_signals(_early_status())
    from dequeuer.cli import main as run  # noqa: PLC0415 - signals must be handled before the slow imports
    from dequeuer.process.standard_streams import flush_or_discard, open_missing_streams  # noqa: PLC0415 - see the line above

    open_missing_streams()
    status = run()
    flush_or_discard()
    sys.exit(status)


def cortex() -> None:
    """Run `dequeuer cortex` as a program of its own, which clients of Cortex execute. It has the same arguments."""
    sys.argv.insert(1, "cortex")
    main()


if __name__ == "__main__":
    main()
