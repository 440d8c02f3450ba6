"""The time of a wait for the end of a request."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from dequeuer.client.errors import GatewayLostError
from dequeuer.client.outcomes import RequestNotEndedError
from dequeuer.client.request_status import RequestStatus

SLICE_S: Final = 30
"""One call waits no longer than this: load balancers cut connections on which nothing happens for a minute."""
LATE_S: Final = 6.0
"""How long after its time a wait may end: the gateway's own may take 5 s longer while its store is away."""


class WaitLimit:
    """The time that is left, in a running event loop. `timeout_s`: of all of it.

    Attributes:
        timeout_s: of the whole wait.
        latest: the status that came last; None: none came.
    """

    def __init__(self, timeout_s: float) -> None:
        self._time = asyncio.get_running_loop().time
        self._ends_at = self._time() + timeout_s
        self.timeout_s = timeout_s
        self.latest: RequestStatus | None = None

    def left_s(self) -> float:
        """Return the seconds that are left."""
        return max(0.0, self._ends_at - self._time())

    def slice_s(self) -> int:
        """Return how long the next call may wait, whole seconds."""
        return int(min(self.left_s(), SLICE_S))


@asynccontextmanager
async def limited(timeout_s: float | None) -> AsyncIterator[WaitLimit]:
    """Limit a wait; None: it takes as long as it takes. What hangs when the time is over is cut off a little later.

    Raises:
        RequestNotEndedError: it was cut off, and the status is known.
        GatewayLostError: it was cut off, and no status is known.
    """
    limit = WaitLimit(math.inf if timeout_s is None else timeout_s)
    try:
        async with asyncio.timeout(None if timeout_s is None else timeout_s + LATE_S):
            yield limit
    except TimeoutError as error:
        if limit.latest is not None:
            raise RequestNotEndedError(limit.latest, limit.timeout_s) from error
        raise GatewayLostError(f"the gateway said nothing of the request for {limit.timeout_s:g} s") from error
