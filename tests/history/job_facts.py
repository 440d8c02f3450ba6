"""What is known of the life of one batch job when it is over. Simulated and real runs find out the same."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from tests.history.records import ON_COMPLETE

Cause = Literal["stop", "timeout", "bad item", "bad container"]
"""Why a job may end early: a client asked for it, or its submission or container cannot work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that a container of the job has got.

    Attributes:
        at: when it came, seconds.
        path: `/`, or that of the completion.
        status: of the response; 0: there was none.
        items: indexes of the items of the batch in the job.
        results: the answer by item: its JSON text; items that the container named as failed are left out.
        may_be_cut: the worker may not have got the response, or could not act on it: something of it was killed.
    """

    at: float
    path: str = "/"
    status: int = 200
    items: tuple[int, ...] = ()
    results: Mapping[int, str] = field(default_factory=dict)
    may_be_cut: bool = False

    @property
    def is_completion(self) -> bool:
        """Whether it told the container that the job is complete."""
        return self.path == ON_COMPLETE


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A line of the output. `result`: its JSON text; None: it is an error."""

    index: int
    result: str | None
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRun:
    """A run of a worker, and the controller that started it."""

    controller: str
    name: str
    began_at: float
    ended_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class JobFacts:
    """The life of one job.

    Attributes:
        items: of the job, those that were to be left out not counted.
        batches: that these items make.
        skipped: items that were to be left out.
        skipped_lines: how many the job names as left out.
        has_output: results are kept.
        calls: by time.
        lines: of all results and errors.
        ends: the statuses that `end.json` has told, one for each time that it was written.
        ended_at: when it was created, seconds, on the clock of `calls`.
        status: what a client is told.
        total_batches: that a client is told; None: unknown.
        metrics: the content of `metrics.json`; None: there is none.
        names: of the objects below the prefix of the job, at the end; folders end in a slash.
        is_in_index: it counts as not ended.
        has_queue: its queue exists.
        dead: items of messages in the dead-letter queue.
        records: how many batches are recorded as failed for good, wholly or in part.
        completion_died: the message of the completion is in the dead-letter queue, as after kills at its last receive.
        causes: why it may have ended early.
        runs: of workers.
        is_calm: nothing was killed, stopped or refused, so that counts are exact.
    """

    items: int
    batches: int
    skipped: int = 0
    skipped_lines: int = 0
    has_output: bool
    calls: Sequence[Call]
    lines: Sequence[Line] = ()
    ends: Sequence[str]
    ended_at: float
    status: str
    total_batches: int | None
    metrics: Mapping[str, object] | None
    names: frozenset[str]
    is_in_index: bool = False
    has_queue: bool = False
    dead: frozenset[int] = frozenset()
    records: int = 0
    completion_died: bool = False
    causes: frozenset[Cause] = frozenset()
    runs: Sequence[WorkerRun] = ()
    is_calm: bool = False

    @property
    def end(self) -> str:
        """How the job ended; "": it has not."""
        return self.ends[-1] if self.ends else ""
