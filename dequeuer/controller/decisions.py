"""Decides the next step for a job, from nothing but what was observed."""

from __future__ import annotations

from itertools import islice
from typing import Final

from dequeuer.controller.launchers.base import ENQUEUER, ProcessState, worker_name
from dequeuer.controller.observed import Observed
from dequeuer.controller.steps import (
    End,
    Finish,
    MarkRunning,
    PrepareQueue,
    RecordTotal,
    Start,
    Step,
    Stop,
    Wait,
)
from dequeuer.jobs.documents import JobError
from dequeuer.jobs.spec import MAX_WORKERS

MAX_START_FAILURES: Final = 5
"""Runs in a row that end without having been of use."""
MAX_STARTS: Final = 100
"""Workers that are started in one step: a stop need not wait for thousands of them."""
QUEUE_GONE: Final = "the queue of the job was deleted while the job was running"
TIMED_OUT: Final = "the job did not end within its timeout"


def decide(seen: Observed) -> Step:
    """Return the next step."""
    if seen.end is not None:
        return Finish(seen.end)
    if "stop" in seen.names:
        return End(state="stopped")
    if seen.has_timed_out:
        return End(state="timed_out", error=JobError(message=TIMED_OUT))
    return _decide_batch(seen) if seen.spec.kind == "BatchAPI" else _decide_task(seen)


def _decide_batch(seen: Observed) -> Step:
    if not seen.spec.sqs_url or "enqueuing" not in seen.names:
        return PrepareQueue()
    if seen.depth is None:
        error = JobError(message=QUEUE_GONE)
        return End(state="unexpected_error", error=error) if seen.is_gone_for_long else Wait()
    if seen.is_paused:
        return _stop(seen.running()) or Wait()
    if seen.total_batches is None:
        if (step := _decide_enqueuing(seen)) is not None:
            return step
    elif seen.spec.total_batch_count != seen.total_batches:
        return RecordTotal(seen.total_batches)
    return _decide_working(seen) if seen.has_batches else Wait()


def _decide_enqueuing(seen: Observed) -> Step | None:
    """Return the step that filling the queue needs; None: the enqueuer is at work, or may not be started yet."""
    if (fault := seen.enqueue_error) is not None:
        error = JobError(message=fault.message, source=fault.source, offset=fault.offset)
        return End(state="enqueue_failed", error=error)
    enqueuer = seen.processes.get(ENQUEUER)
    if enqueuer is not None and not enqueuer.has_ended:
        return None
    if enqueuer is not None and seen.enqueuer_failures >= MAX_START_FAILURES:
        return End(state="enqueue_failed", error=JobError(message=enqueuer.detail))
    return None if ENQUEUER in seen.waits else Start((ENQUEUER,))


def _decide_working(seen: Observed) -> Step:
    if "running" not in seen.names:
        return MarkRunning()
    if seen.total_batches is not None and seen.depth is not None and seen.depth.total == 0:
        if not seen.is_empty_for_long:
            return Wait()
        # Drained first: they have counted everything when they have ended.
        done = End(state="completed_with_failures" if seen.has_failures else "succeeded")
        return _stop(seen.running()) or done
    return _decide_workers(seen)


def _decide_task(seen: Observed) -> Step:
    if "running" not in seen.names:
        return MarkRunning()
    name = worker_name(0)
    task = seen.processes.get(name)
    if task is None:
        return Start((name,))
    if not task.has_ended:
        return Wait()
    return End(state="succeeded") if task.phase == "succeeded" else _worker_failed(task)


def _decide_workers(seen: Observed) -> Step:
    ended = _ended_workers(seen)
    if seen.worker_failures >= MAX_START_FAILURES and ended:
        return _worker_failed(ended[-1])
    # Hazard: a specification that Cortex has stored may ask for any number of workers.
    wanted = (worker_name(index) for index in range(min(seen.spec.workers, MAX_WORKERS)))
    left_alone = seen.running() | seen.waits
    missing = tuple(islice((name for name in wanted if name not in left_alone), MAX_STARTS))
    return Start(missing) if missing else Wait()


def _ended_workers(seen: Observed) -> list[ProcessState]:
    return [state for name, state in seen.processes.items() if name != ENQUEUER and state.has_ended]


def _worker_failed(worker: ProcessState) -> End:
    error = JobError(message=worker.detail)
    return End(state="worker_oom" if worker.phase == "killed_oom" else "worker_error", error=error)


def _stop(names: frozenset[str]) -> Stop | None:
    return Stop(tuple(sorted(names))) if names else None
