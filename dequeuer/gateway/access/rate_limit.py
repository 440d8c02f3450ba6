"""How often each caller may call: token buckets, as many as fit, refilled by the clock."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from dequeuer.core.clock import monotonic
from dequeuer.gateway.access.caller import Rate

MAX_BUCKETS: Final = 10_000
"""Of more than these, those that were not used for longest are forgotten, and begin full again."""


class RateLimiter:
    """The buckets of one gateway.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str, rate: Rate) -> float:
        """Count a request. Return 0.0 when it may go on, else the seconds until one may."""
        now = self._clock()
        level, at = self._buckets.pop(key, (float(rate.burst), now))
        level = min(float(rate.burst), level + (now - at) * rate.per_second)
        wait_s = 0.0 if level >= 1 else (1 - level) / rate.per_second
        self._buckets[key] = (level if wait_s else level - 1, now)
        if len(self._buckets) > MAX_BUCKETS:
            self._buckets.popitem(last=False)
        return wait_s


def address_key(address: str | None) -> str:
    """Return what the addresses of one client share: one host gets a /64 of IPv6, so each of its 2^64 is the same."""
    try:
        parsed = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return "unknown"
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is None:
            return str(ipaddress.ip_network((parsed, 64), strict=False))
        return str(parsed.ipv4_mapped)
    return str(parsed)
