"""The steps that a controller takes for a job. Each may be done twice, by one controller or by two."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from dequeuer.jobs.documents import JobEnd, JobError
from dequeuer.jobs.state import JobState


@dataclass(frozen=True, slots=True)
class Wait:
    """There is nothing to do now."""


@dataclass(frozen=True, slots=True)
class PrepareQueue:
    """Create the queue, note its URL in the specification, and mark the job as `enqueuing`."""


@dataclass(frozen=True, slots=True)
class MarkRunning:
    """Mark the job as `running`."""


@dataclass(frozen=True, slots=True)
class RecordTotal:
    """Note the number of batches in the specification."""

    batches: int


@dataclass(frozen=True, slots=True)
class Start:
    """Start processes."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Stop:
    """Drain processes; wait until they have ended."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Decide how the job ends. When somebody has decided otherwise meanwhile, that holds."""

    state: JobState
    error: JobError | None = None


@dataclass(frozen=True, slots=True)
class Finish:
    """Do what follows the end: drain, count, mark, clean up. Afterwards the job is no longer in the index."""

    end: JobEnd


Step: TypeAlias = Wait | PrepareQueue | MarkRunning | RecordTotal | Start | Stop | End | Finish
