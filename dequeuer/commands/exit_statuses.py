"""The exit statuses that mean the same in all of these commands. They are an interface."""

from __future__ import annotations

from typing import Final

OK: Final = 0
REFUSED: Final = 1
"""The gateway refused the request, or the command failed on this machine."""
USAGE: Final = 2
GATEWAY_UNAVAILABLE: Final = 7
WAITED_TOO_LONG: Final = 8
"""`--timeout` is over; what was waited for goes on."""
