"""The clocks that the code reads. The simulation puts its own in their place, so nothing else reads the time."""

from __future__ import annotations

import time
from collections.abc import Callable

monotonic: Callable[[], float] = time.monotonic
"""Seconds of a clock that is never set, the event loop's: for durations."""
wall: Callable[[], float] = time.time
"""Seconds since the epoch: for dates from outside. It can jump."""
