"""The clocks of the project. The simulation replaces them, so no other code may read the time directly."""

from __future__ import annotations

import time
from collections.abc import Callable

monotonic: Callable[[], float] = time.monotonic
"""Seconds of a clock that is never set, the same as the event loop's: for durations."""
wall: Callable[[], float] = time.time
"""Seconds since the epoch: to compare with dates from outside. The clock can be set and then jumps."""
