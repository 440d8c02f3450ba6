"""What the canned servers are to answer, and what they have seen."""

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
    """What is served.

    Attributes:
        kind: of the messages.
        messages: how many there are.
        rate: messages a second that appear, from the first receive on; 0: all at once.
        payload_bytes: size of a payload, or of a batch.
        result_bytes: size of the container's JSON answer.
        work_s: how long the container takes.
        sqs_delay_s: how much later each answer of the queue is sent.
        get_delay_s: likewise, those of the store to requests that read an object.
        put_delay_s: likewise, all others of the store.
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Watch:
    """Measure a process when so many messages are done, or so many POSTs have come."""

    pid: int
    at: tuple[int, ...]
    of: Of


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """What was measured at one of these moments.

    Attributes:
        count: messages by then.
        at_s: monotonic time.
        cpu_s: of the tree of processes.
        peak_mib: likewise.
        requests: by operation.
    """

    count: int
    at_s: float
    cpu_s: float
    peak_mib: float
    requests: dict[str, int]


@dataclass(slots=True)
class State:
    """Of all the servers together."""

    shape: Shape = field(default_factory=Shape)
    requests: Counter[str] = field(default_factory=Counter)
    done: int = 0
    posts: int = 0
    running: int = 0
    most_running: int = 0
    first_post_at_s: float | None = None
    told_at_s: float | None = None
    latencies_s: list[float] = field(default_factory=list)
    unexpected: list[str] = field(default_factory=list)
    watch: Watch | None = None
    marks: list[Mark] = field(default_factory=list)

    def begin(self, shape: Shape) -> None:
        """Forget what was seen; serve that from now on."""
        self.shape = shape
        self.requests = Counter()
        self.done = self.posts = self.running = self.most_running = 0
        self.first_post_at_s = self.told_at_s = self.watch = None
        self.latencies_s, self.unexpected, self.marks = [], [], []

    def wonder(self, what: str) -> None:
        """Take note of something that a sound run never asks."""
        self.requests["unexpected"] += 1
        if len(self.unexpected) < UNEXPECTED_LIMIT:
            self.unexpected.append(what)

    def count_done(self, messages: int) -> None:
        """Messages were deleted."""
        self.done += messages
        if self.watch is not None and self.watch.of == "done":
            self._look(self.watch, self.done)

    def count_post(self) -> None:
        """The container was asked."""
        self.posts += 1
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        if self.first_post_at_s is None:
            self.first_post_at_s = time.monotonic()
        if self.told_at_s is not None:
            self.latencies_s.append(time.monotonic() - self.told_at_s)
            self.told_at_s = None
        if self.watch is not None and self.watch.of == "posts":
            self._look(self.watch, self.posts)

    def count_answer(self) -> None:
        """The container has answered."""
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

    def told(self) -> dict[str, Any]:
        """Return what the measuring side wants to know, as JSON."""
        return {
            "requests": dict(self.requests),
            "done": self.done,
            "posts": self.posts,
            "most_running": self.most_running,
            "first_post_at_s": self.first_post_at_s,
            "latencies_s": self.latencies_s,
            "unexpected": self.unexpected,
            "marks": [asdict(mark) for mark in self.marks],
        }
