"""The prefetch buffer: messages that were received before a slot is free for them."""

from __future__ import annotations

import asyncio
import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from dequeuer.core.events import Observer, ReleasedUnstarted, UnstartedReason
from dequeuer.sources.base import Lease, Source
from dequeuer.worker.lease import LeaseRenewer
from dequeuer.worker.settlement import Settler

MAX_PREFETCH_WAIT_S = 2.0
"""The longest time that a message waits for a slot."""
LEASE_FRACTION = 1 / 4
"""A prefetched message waits at most 1/4 of its lease, and work starts with at least 1/4 of the lease left."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrefetchedMessage:
    """A message that waits for a slot. Loop times.

    Attributes:
        lease: the claim on it.
        asked_at: when the queue was asked for it: its lease counts from then.
        expires_at: when it is released if no slot is free before.
    """

    lease: Lease
    asked_at: float
    expires_at: float


class PrefetchBuffer:
    """Keeps prefetched messages in the order of their arrival, and releases those that get no slot in time.

    Their leases are not renewed.

    Args:
        settler: releases messages.
        renewer: has the length of a lease.
        observer: receives each release.
    """

    def __init__(self, settler: Settler, renewer: LeaseRenewer, observer: Observer) -> None:
        self._settler = settler
        self._renewer = renewer
        self._observer = observer
        self._messages: deque[PrefetchedMessage] = deque()
        self._next_expiry_at = math.inf
        """No message expires before this loop time."""
        self._timer: asyncio.TimerHandle | None = None
        self._releases: set[asyncio.Task[None]] = set()

    def __len__(self) -> int:
        return len(self._messages)

    @property
    def max_wait_s(self) -> float:
        """The longest time that a message waits, seconds."""
        return min(MAX_PREFETCH_WAIT_S, self._renewer.length_s * LEASE_FRACTION)

    def add(self, leases: Sequence[Lease], asked_at: float) -> None:
        """Add messages of one receive. `asked_at`: loop time when the queue was asked for them."""
        now = asyncio.get_running_loop().time()
        # After a long poll little of the lease may be left.
        lease_allows_until = self._renewer.stop_at(asked_at) - self._renewer.length_s * LEASE_FRACTION
        expires_at = min(now + self.max_wait_s, lease_allows_until)
        self._messages.extend(
            [PrefetchedMessage(lease=lease, asked_at=asked_at, expires_at=expires_at) for lease in leases]
        )
        self._next_expiry_at = min(self._next_expiry_at, expires_at)
        self._set_timer()

    def take(self) -> PrefetchedMessage | None:
        """Remove and return the oldest message that has not expired; None: there is none."""
        if not self._messages:
            return None
        # After a stall of the process the timer may be late.
        self._release_expired()
        return self._messages.popleft() if self._messages else None

    def release_all(self, reason: UnstartedReason, of: Source | None = None) -> None:
        """Begin to release all messages, or those of one queue; `wait_released` returns when that is done."""
        messages, self._messages = self._messages, deque()
        if of is not None:
            self._messages.extend(message for message in messages if message.lease.source is not of)
            messages = deque(message for message in messages if message.lease.source is of)
        self._release_messages(messages, reason)

    def start_release(self, leases: Sequence[Lease], asked_at: float, reason: UnstartedReason) -> None:
        """Begin to `release`; `wait_released` returns when that is done."""
        task = asyncio.create_task(self.release(leases, asked_at, reason), name="release-prefetched")
        self._releases.add(task)
        task.add_done_callback(self._releases.discard)

    async def release(self, leases: Sequence[Lease], asked_at: float, reason: UnstartedReason) -> None:
        """Release messages of one receive that no work has begun on.

        Nothing is sent when their leases are over: another sidecar may have the messages by now.
        """
        self._observer(ReleasedUnstarted(messages=len(leases), reason=reason))
        if asyncio.get_running_loop().time() < self._renewer.stop_at(asked_at):
            await self._settler.release_now(leases)

    async def wait_released(self, until: float) -> None:
        """Return when no release is under way, at the loop time `until` at latest. Call `release_all` before.

        The timer of `add` is cancelled: no message is left that could expire.
        """
        if self._timer is not None:
            self._timer.cancel()
        if self._releases:
            await asyncio.wait(set(self._releases), timeout=max(0.0, until - self._renewer.loop.time()))

    def _set_timer(self) -> None:
        if self._timer is None and self._messages:
            at = min(message.expires_at for message in self._messages)
            self._timer = asyncio.get_running_loop().call_at(at, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._release_expired()
        self._set_timer()

    def _release_expired(self) -> None:
        # Called for each message: looking at all messages would cost more than taking one.
        if not self._messages or (now := self._renewer.loop.time()) < self._next_expiry_at:
            return
        expired = [message for message in self._messages if message.expires_at <= now]
        self._messages = deque(message for message in self._messages if message.expires_at > now)
        self._next_expiry_at = min([message.expires_at for message in self._messages], default=math.inf)
        if expired:
            self._release_messages(expired, "waited")

    def _release_messages(self, messages: Iterable[PrefetchedMessage], reason: UnstartedReason) -> None:
        for asked_at, group in groupby(messages, key=lambda message: message.asked_at):
            self.start_release([message.lease for message in group], asked_at, reason)
