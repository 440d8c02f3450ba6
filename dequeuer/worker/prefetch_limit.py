"""How many messages may be prefetched: ten more than the slots take while a receive is under way, and at least 20."""

from __future__ import annotations

from collections.abc import Sequence

from dequeuer.concurrency.slot_times import PREFETCH_WINDOW_S
from dequeuer.concurrency.slots import Slots
from dequeuer.core.queue_limits import MAX_BATCH_SIZE
from dequeuer.sources.base import Lease
from dequeuer.worker.receives import MAX_CONCURRENT_RECEIVES

MIN_LIMIT = 20
"""The smallest limit, used while receives are short: ten messages that wait now, and ten of the next receive."""
MAX_LIMIT = MAX_CONCURRENT_RECEIVES * MAX_BATCH_SIZE
"""The largest limit, however long receives take."""
MAX_EXTRA_PER_SLOT = 5
"""At most this many messages above `MIN_LIMIT` for each slot. When a container with one slot hangs, all prefetched
messages are released, and the receive count of each has been raised by one."""
MAX_EXTRA_CHARS = 2 * 1024 * 1024
"""The messages above `MIN_LIMIT` have together at most about this many characters, those of attributes included. One
message can have 1 MiB."""
RECEIVE_TIME_WEIGHT = 0.1
"""Weight of the last receive in the estimate of the time that one takes."""
MESSAGE_SIZE_DECAY = 0.98
"""The estimate of the size rises at once, and falls by this factor with each receive."""
MIN_LEAD_TIME_S = 0.05
"""The shortest time of a receive that is assumed when it is decided how early the next messages are asked for."""


class PrefetchLimit:
    """Adapts the limit to the time that receives take and to the size of the messages.

    Args:
        slots: used to estimate how many messages get a slot within a time.
    """

    def __init__(self, slots: Slots) -> None:
        self._slots = slots
        self._receive_s = 0.0
        self._message_chars = 1.0
        self.value = MIN_LIMIT
        """How many messages may wait for a slot, together with those that receives under way may bring. Messages for
        free slots are not counted."""
        self.lead_time_s = MIN_LEAD_TIME_S
        """Messages must be asked for this long before they are needed: the time that a receive takes, seconds."""

    def record(self, leases: Sequence[Lease], took_s: float | None) -> None:
        """Record a receive that brought `leases`. `took_s`: seconds; None: it may have waited at the queue."""
        largest = max(len(lease.message.body) + lease.message.attributes_chars for lease in leases)
        self._message_chars = max(1.0, largest, MESSAGE_SIZE_DECAY * self._message_chars)
        if took_s is not None:
            # A request that hangs, or was repeated, does not show how long a receive usually takes.
            took_s = min(took_s, PREFETCH_WINDOW_S)
            change_s = took_s - self._receive_s
            self._receive_s = took_s if not self._receive_s else self._receive_s + RECEIVE_TIME_WEIGHT * change_s
            self.lead_time_s = max(MIN_LEAD_TIME_S, self._receive_s)
        max_extra = min(MAX_EXTRA_PER_SLOT * self._slots.total, int(MAX_EXTRA_CHARS / self._message_chars))
        needed = MAX_BATCH_SIZE + self._slots.expected_messages(self._receive_s)
        self.value = max(MIN_LIMIT, min(needed, MIN_LIMIT + max_extra, MAX_LIMIT))
