"""What the canned servers serve, and their counts."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from bench.proc import usage

Of = Literal["done", "posts"]
UNEXPECTED_LIMIT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """The messages, objects and delays that are served.

    Attributes:
        kind: the kind of API.
        messages: the number of messages.
        rate: messages per second that are added from the first receive on; 0 means all at once.
        payload_bytes: the size of a payload, or of a batch.
        result_bytes: the size of the container's JSON response.
        work_s: how long the container takes for a request.
        sqs_delay_s: the delay of each response of the queue.
        get_delay_s: the delay of each response of the store to GET and HEAD.
        put_delay_s: the delay of each other response of the store.
        source_bytes: the size of the file of a job that is to be enqueued.
        item_bytes: of an item of that file, its line break included.
        requests_wait: listings show that each request waits in the queue.
    """

    kind: Literal["async", "batch"] = "async"
    messages: int = 0
    rate: float = 0.0
    payload_bytes: int = 1024
    result_bytes: int = 1024
    work_s: float = 0.0
    sqs_delay_s: float = 0.0
    get_delay_s: float = 0.0
    put_delay_s: float = 0.0
    source_bytes: int = 0
    item_bytes: int = 100
    requests_wait: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Measure the process `pid` when the count `of` messages done, or of POSTs, reaches each value of `at`."""

    pid: int
    at: tuple[int, ...]
    of: Of


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What was measured when a count of a `Watch` was reached.

    Attributes:
        count: the count.
        at_s: monotonic time.
        cpu_s: CPU time of the process and its descendants.
        peak_mib: peak memory of the process and its descendants.
        requests: the number of requests so far, by operation.
    """

    count: int
    at_s: float
    cpu_s: float
    peak_mib: float
    requests: dict[str, int]


@dataclass(slots=True)
class State:
    """The shape and the counts of all canned servers together."""

    shape: Shape = field(default_factory=Shape)
    requests: Counter[str] = field(default_factory=Counter)
    done: int = 0
    sent: int = 0
    posts: int = 0
    running: int = 0
    max_running: int = 0
    first_post_at_s: float | None = None
    put_at_s: float | None = None
    latencies_s: list[float] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    watch: Watch | None = None
    marks: list[Mark] = field(default_factory=list)

    def begin(self, shape: Shape) -> None:
        """Reset all counts, and serve this shape from now on."""
        self.shape = shape
        self.requests = Counter()
        self.done = self.sent = self.posts = self.running = self.max_running = 0
        self.first_post_at_s = self.put_at_s = self.watch = None
        self.latencies_s, self.unexpected, self.marks = [], [], []

    def record_unexpected(self, what: str) -> None:
        """Record a request that the servers do not know."""
        self.requests["unexpected"] += 1
        if len(self.unexpected) < UNEXPECTED_LIMIT:
            self.unexpected.append(what)

    def count_done(self, messages: int) -> None:
        """Record that messages were deleted."""
        self.done += messages
        if self.watch is not None and self.watch.of == "done":
            self._look(self.watch, self.done)

    def count_post(self) -> None:
        """Record that the container received a POST."""
        self.posts += 1
        self.running += 1
        self.max_running = max(self.max_running, self.running)
        if self.first_post_at_s is None:
            self.first_post_at_s = time.monotonic()
        if self.put_at_s is not None:
            self.latencies_s.append(time.monotonic() - self.put_at_s)
            self.put_at_s = None
        if self.watch is not None and self.watch.of == "posts":
            self._look(self.watch, self.posts)

    def count_answer(self) -> None:
        """Record that the container responded."""
        self.running -= 1

    def _look(self, watch: Watch, count: int) -> None:
        if len(self.marks) < len(watch.at) and count >= watch.at[len(self.marks)]:
            used = usage(watch.pid)
            self.marks.append(
                Mark(
                    count=count,
                    at_s=time.monotonic(),
                    cpu_s=used.cpu_s,
                    peak_mib=used.peak_mib,
                    requests=dict(self.requests),
                )
            )

    def observed(self) -> dict[str, Any]:
        """Return the counts as JSON."""
        return {
            "requests": dict(self.requests),
            "done": self.done,
            "sent": self.sent,
            "posts": self.posts,
            "max_running": self.max_running,
            "first_post_at_s": self.first_post_at_s,
            "latencies_s": self.latencies_s,
            "unexpected": self.unexpected,
            "marks": [asdict(mark) for mark in self.marks],
        }
