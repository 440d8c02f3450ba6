"""Spares busy pods: the deletion cost of this pod follows what it has in flight.

When a ReplicaSet gets smaller, Kubernetes deletes the pods with the lowest cost first, among those that are ready.
https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/#pod-deletion-cost asks not to write it often, so
small changes are not written, and a lower cost only after a while.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from dequeuer.core.errors import clip
from dequeuer.core.events import DeletionCostFailed, DeletionCostWritten, Observer
from dequeuer.core.retry import Backoff
from dequeuer.kubernetes.base import KubernetesDeniedError, KubernetesUnavailableError, PodApi
from dequeuer.kubernetes.client import KubernetesClient
from dequeuer.kubernetes.in_cluster import find_in_cluster

_log = logging.getLogger(__name__)

ANNOTATION: Final = "controller.kubernetes.io/pod-deletion-cost"
SAMPLE_INTERVAL_S: Final = 1.0
"""Time between two looks at what is in flight. Looking costs nothing outside of this process."""
WINDOW_S: Final = 60.0
"""The cost is that of the most that was in flight within this time: it rises at once, and falls after it."""
MIN_INTERVAL_S: Final = 30.0
"""The shortest time between two writes."""
JITTER_S: Final = 10.0
"""Up to this much is added to each time between two writes, and to the time before the first one: many pods are started
at the same moment, and get work at the same moment."""
AFTER_FAILURE: Final = Backoff(initial_s=2 * MIN_INTERVAL_S, max_s=600.0, min_share=0.5)
"""Pauses after writes that failed."""


def cost_of(in_flight: int) -> int:
    """Return the cost: 0 for an idle pod, else the largest power of two that is not above the number in flight.

    Numbers between two powers have the same cost, so that small changes are not written.
    """
    return 1 << (in_flight.bit_length() - 1) if in_flight > 0 else 0


class DeletionCost:
    """Writes the cost of this pod. What fails here never fails work: it is reported, and tried again.

    Args:
        api: the API server.
        in_flight: returns how much is in flight now.
        observer: gets each write and each failure.
        chance: returns a random number from 0 to 1, for the jitter.
    """

    def __init__(
        self,
        api: PodApi,
        in_flight: Callable[[], int],
        observer: Observer,
        *,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._api = api
        self._in_flight = in_flight
        self._observer = observer
        self._chance = chance
        self._recent: deque[int] = deque(maxlen=int(WINDOW_S / SAMPLE_INTERVAL_S))
        self._written: int | None = None
        """The cost that the pod has; None: not known. The process that was here before may have written one."""
        self._failures = 0

    async def run(self) -> None:
        """Write the cost when it has changed; until cancelled."""
        loop = asyncio.get_running_loop()
        may_write_at = loop.time() + JITTER_S * self._chance()
        while True:
            self._recent.append(self._in_flight())
            cost = cost_of(max(self._recent))
            if cost != self._written and loop.time() >= may_write_at:
                pause_s = await self._write(cost)
                may_write_at = loop.time() + pause_s
            await asyncio.sleep(SAMPLE_INTERVAL_S)

    async def _write(self, cost: int) -> float:
        """Write the cost; return for how many seconds nothing more is written."""
        try:
            await self._api.patch_pod({"metadata": {"annotations": {ANNOTATION: str(cost)}}})
        except (KubernetesUnavailableError, KubernetesDeniedError) as error:
            return self._failed(str(error))
        except Exception as error:  # noqa: BLE001 - a bug here must not end the work
            _log.exception("a bug: the deletion cost of the pod is not written")
            return self._failed(f"a bug: {type(error).__name__}: {clip(str(error))}")
        self._written, self._failures = cost, 0
        self._observer(DeletionCostWritten(cost=cost))
        return MIN_INTERVAL_S + JITTER_S * self._chance()

    def _failed(self, reason: str) -> float:
        # The request may have been carried out, although there was no response.
        self._written = None
        self._observer(DeletionCostFailed(reason=reason))
        pause_s = AFTER_FAILURE.pause_s(self._failures, self._chance)
        self._failures += 1
        return pause_s


def open_deletion_cost(
    environ: Mapping[str, str],
    pod: str | None,
    files: str,
    *,
    in_flight: Callable[[], int],
    observer: Observer,
) -> DeletionCost:
    """Return what writes the cost of this pod. Nothing is sent yet.

    `environ`, `pod`, `files`: see `find_in_cluster`; the others: see `DeletionCost`.

    Raises:
        ConfigurationError: this is no pod, or something is missing.
    """
    cluster = find_in_cluster(environ, pod, Path(files))
    return DeletionCost(KubernetesClient(cluster), in_flight, observer)
