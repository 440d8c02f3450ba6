"""The connections of one process to the simulated servers: they end with it, and can stand still."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field

from dequeuer.core.errors import StoreUnavailableError
from dequeuer.core.events import Observer, ignore
from dequeuer.jobs.output_buckets import OutputBuckets
from dequeuer.publishing.operations import EventBusOperations, SnsOperations
from dequeuer.sinks.expiry import ExpiryChange
from dequeuer.sources.sqs.errors import Translate
from dequeuer.sources.sqs.sdk_errors import translate
from tests.simulation import queue_client
from tests.simulation.jobs.bucket import Bucket, BucketClient
from tests.simulation.jobs.queues import Account, SqsClient
from tests.simulation.network import Connection, FaultRates


@dataclass(kw_only=True)
class Servers:
    """The servers that all processes of a world share."""

    rates: FaultRates
    buckets: dict[str, Bucket]
    account: Account
    outages: set[str] = field(default_factory=set)
    """`sqs`, `s3`: unavailable now."""


class _StallingConnection(Connection):
    """A connection of a process that can be stopped: what it sends then arrives late."""

    def __init__(self, rates: FaultRates, is_unavailable: Callable[[], bool], error: Callable[[], Exception]) -> None:
        super().__init__(rates, is_unavailable, error)
        self.stalled_until = 0.0

    async def delay(self) -> None:
        await super().delay()
        await asyncio.sleep(max(0.0, self.stalled_until - asyncio.get_running_loop().time()))


class SimCloud:
    """`Cloud` of one process. `kill` ends all of its calls: no response arrives any more."""

    def __init__(self, servers: Servers, process: str, *, has_faults: bool = True) -> None:
        rates = servers.rates if has_faults else FaultRates()
        self._buckets = servers.buckets
        self._s3 = _StallingConnection(rates, lambda: has_faults and "s3" in servers.outages, _unavailable)
        self._sqs = _StallingConnection(
            rates, lambda: has_faults and "sqs" in servers.outages, queue_client.unavailable_error
        )
        self.client = SqsClient(servers.account, process, self._sqs)

    @property
    def translate(self) -> Translate:
        return translate

    @asynccontextmanager
    async def sqs(self, *, longest_wait_s: float) -> AsyncIterator[SqsClient]:
        yield self.client

    def sns(self, region: str) -> AbstractAsyncContextManager[SnsOperations]:
        raise AssertionError(f"{region}: jobs publish nothing")

    def event_bridge(self, region: str) -> AbstractAsyncContextManager[EventBusOperations]:
        raise AssertionError(f"{region}: jobs publish nothing")

    def store(self, bucket: str, observer: Observer, *, is_foreign: bool = False) -> BucketClient:
        return BucketClient(self._buckets[bucket], self._s3, observer)

    def outputs(self, own_name: str, own: BucketClient) -> OutputBuckets:
        """Return the buckets of results. `own`: that of the jobs, and its name."""
        return OutputBuckets(own_name, own, lambda name: self.store(name, ignore), self.close_store)

    async def close_store(self, store: object) -> None:
        """Do nothing."""

    async def ensure_expiry(self, *, bucket: str, prefix: str, days: int) -> ExpiryChange:
        raise AssertionError(f"{bucket}/{prefix}: jobs write no lifecycle rule of {days} days")

    def observe(self, observer: Observer) -> None:
        """Do nothing: there are no credentials."""

    async def close(self) -> None:
        """Do nothing."""

    @property
    def is_dead(self) -> bool:
        """Whether the process was killed."""
        return self._s3.is_dead

    def kill(self) -> None:
        """From now on no call has an effect, but those that were sent already; none returns."""
        self._s3.is_dead = self._sqs.is_dead = True

    def stall(self, seconds: float) -> None:
        """Let everything that is sent from now on arrive late."""
        until = asyncio.get_running_loop().time() + seconds
        self._s3.stalled_until = self._sqs.stalled_until = until

    async def pause(self, longest_s: float) -> None:
        """Wait as long as something takes that is no call."""
        await asyncio.sleep(random.uniform(0, longest_s))


def _unavailable() -> Exception:
    return StoreUnavailableError("unavailable")
