"""The exit statuses of the commands for requests, but for those of signals and of a broken pipe. They are an interface.

A number means the same as in `dequeuer jobs`, where there is the same.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from dequeuer.client.request_status import RequestStatus
from dequeuer.commands.exit_statuses import GATEWAY_UNAVAILABLE, OK, REFUSED, USAGE, WAITED_TOO_LONG

COMPLETED_WITH_FAILURES: Final = 3
"""Of several requests, some have not completed."""
CANCELLED: Final = 4
EXPIRED: Final = 5
REQUEST_FAILED: Final = 6

__all__ = [
    "CANCELLED",
    "COMPLETED_WITH_FAILURES",
    "EXPIRED",
    "GATEWAY_UNAVAILABLE",
    "OK",
    "REFUSED",
    "REQUEST_FAILED",
    "USAGE",
    "WAITED_TOO_LONG",
    "of_all",
    "of_status",
]

_OF_CODE: Final = {"cancelled": CANCELLED, "expired": EXPIRED}


def of_status(status: RequestStatus) -> int:
    """Return the exit status for the end of a request."""
    if status.state == "completed":
        return OK
    return REQUEST_FAILED if status.error is None else _OF_CODE.get(status.error.code, REQUEST_FAILED)


def of_all(statuses: Iterable[int]) -> int:
    """Return the exit status of a command for several requests, from that of each."""
    found = set(statuses)
    if REFUSED in found:
        return REFUSED
    return OK if found <= {OK} else COMPLETED_WITH_FAILURES
