"""Several queues of one sidecar, each with its weight."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from dequeuer.core.errors import quoted
from dequeuer.core.queue_names import queue_name
from dequeuer.settings.parsers import InvalidValueError, Parser, listed
from dequeuer.settings.text_parsers import QUEUE_URL

MAX_QUEUES = 10
"""Each has metrics of its own, and is asked while it is empty."""
MAX_WEIGHT = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightedQueue:
    """One of several queues."""

    url: str
    weight: int

    @property
    def name(self) -> str:
        """The end of its URL."""
        return queue_name(self.url)


def _weighted_queue(match: re.Match[str]) -> WeightedQueue:
    weight = int(match[2])
    if not 0 < weight <= MAX_WEIGHT:
        raise InvalidValueError(f"{quoted(match[2])} is not a weight")
    return WeightedQueue(url=QUEUE_URL.read(match[1]), weight=weight)


def _several(queues: Sequence[WeightedQueue]) -> tuple[WeightedQueue, ...]:
    if not 1 < len(queues) <= MAX_QUEUES:
        raise InvalidValueError(f"the number of queues is {len(queues)}")
    # Metrics and the log name a queue by the end of its URL.
    for name, count in Counter(queue.name for queue in queues).items():
        if count > 1:
            raise InvalidValueError(f"{quoted(name)} is the name of {count} queues")
    return tuple(queues)


WEIGHTED_QUEUES = listed(
    Parser("the URL of a queue, a space and a weight", _weighted_queue, r"(\S{1,2048})\s+([0-9]{1,4})"),
    _several,
    f"the URL of a queue, a space and a weight from 1 to {MAX_WEIGHT}, for 2 to {MAX_QUEUES} queues, separated by "
    "commas; no name of a queue twice",
)
