"""The table of decisions: what is found, and the one step that follows."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from dequeuer.controller.decisions import MAX_START_FAILURES, MAX_STARTS, QUEUE_GONE, TIMED_OUT, decide
from dequeuer.controller.launchers.base import ENQUEUER, Phase, ProcessState
from dequeuer.controller.observed import Observed
from dequeuer.controller.steps import End, Finish, MarkRunning, PrepareQueue, RecordTotal, Start, Step, Stop, Wait
from dequeuer.jobs.checkpoint import Checkpoint
from dequeuer.jobs.documents import JobEnd, JobError
from dequeuer.jobs.enqueue_error import EnqueueError
from dequeuer.jobs.spec import MAX_WORKERS
from dequeuer.sources.base import Depth
from tests.controller.stage import EPOCH_S, TASK_KEYS, make_spec

SPEC = make_spec(sqs_url="https://sqs/queue", timeout_s=100)
TOTAL = dataclasses.replace(SPEC, total_batch_count=4)
START_NS = int(EPOCH_S * 1e9)
END = JobEnd(state="succeeded", end_time_ns=START_NS)
CREATED = frozenset({"spec.json", "enqueuing"})
RUNNING = CREATED | {"running"}


def state(phase: Phase = "ready", **fields: Any) -> ProcessState:
    return ProcessState(phase=phase, **fields)


def depth(messages: int) -> Depth:
    return Depth(visible=messages, in_flight=0, delayed=0)


def seen(**fields: Any) -> Observed:
    given: dict[str, Any] = {"names": CREATED, "spec": SPEC, "now_ns": START_NS, "depth": depth(0)} | fields
    return Observed(**given)


ENQUEUING = {"processes": {ENQUEUER: state()}, "checkpoint": Checkpoint(batches=2)}
WORKERS = {"worker-0": state(), "worker-1": state("not_ready")}
DONE = {"names": RUNNING, "spec": TOTAL, "total_batches": 4}
DEAD = state("failed", detail="worker-0 (api) ended with exit status 1")

TABLE: list[tuple[str, dict[str, Any], Step]] = [
    ("an end is finished", {"end": END, "names": {"stop"}}, Finish(END)),
    ("a stop ends the job", {"names": CREATED | {"stop"}}, End(state="stopped")),
    ("a stop wins over the timeout", {"names": {"stop"}, "now_ns": START_NS + 10**12}, End(state="stopped")),
    ("the timeout counts from the submission", {"now_ns": START_NS + 100 * 10**9}, End(state="timed_out", error=JobError(message=TIMED_OUT))),
    ("not a moment earlier", {"now_ns": START_NS + 100 * 10**9 - 1}, Start((ENQUEUER,))),
    ("a new job gets its queue", {"spec": make_spec(), "names": frozenset({"spec.json"}), "depth": None}, PrepareQueue()),
    ("a queue whose URL is not noted is made again", {"spec": make_spec(), "depth": None}, PrepareQueue()),
    ("a job without its marker is marked", {"names": frozenset({"spec.json"})}, PrepareQueue()),
    ("a queue that is not found is looked for again", {"depth": None}, Wait()),
    ("a queue that is gone ends the job", {"depth": None, "is_gone_for_long": True}, End(state="unexpected_error", error=JobError(message=QUEUE_GONE))),
    ("a paused job is drained", {"names": CREATED | {"pause"}, "processes": {ENQUEUER: state(), **WORKERS}}, Stop((ENQUEUER, "worker-0", "worker-1"))),
    ("a paused job rests", {"names": CREATED | {"pause"}, "processes": {"worker-0": DEAD}}, Wait()),
    ("the enqueuer is started", {}, Start((ENQUEUER,))),
    ("an enqueuer that is at work is left alone", {"processes": {ENQUEUER: state()}}, Wait()),
    ("an enqueuer that ended early is started again", {"processes": {ENQUEUER: state("killed")}, "enqueuer_failures": 1}, Start((ENQUEUER,))),
    ("after a pause", {"processes": {ENQUEUER: state("killed")}, "waits": frozenset({ENQUEUER})}, Wait()),
    ("an enqueuer that gets nowhere ends the job", {"processes": {ENQUEUER: state("failed", detail="enqueuer ended")}, "enqueuer_failures": MAX_START_FAILURES}, End(state="enqueue_failed", error=JobError(message="enqueuer ended"))),
    ("an enqueuer that gives up ends the job", {"enqueue_error": EnqueueError(message="large", source="s3://b/k", offset=3)}, End(state="enqueue_failed", error=JobError(message="large", source="s3://b/k", offset=3))),
    ("the first batches make it running", ENQUEUING, MarkRunning()),
    ("messages in the queue, too", {"processes": {ENQUEUER: state()}, "depth": depth(1)}, MarkRunning()),
    ("workers start while the enqueuer is at work", ENQUEUING | {"names": RUNNING}, Start(("worker-0", "worker-1"))),
    ("an empty queue is no end while the enqueuer is at work", ENQUEUING | {"names": RUNNING, "processes": {ENQUEUER: state(), **WORKERS}, "is_empty_for_long": True}, Wait()),
    ("the number of batches is noted", {"names": RUNNING, "total_batches": 4}, RecordTotal(4)),
    ("missing workers are started", DONE | {"depth": depth(3), "processes": {"worker-1": state()}}, Start(("worker-0",))),
    ("dead workers are replaced", DONE | {"depth": depth(3), "processes": WORKERS | {"worker-0": DEAD}}, Start(("worker-0",))),
    ("so are workers that ended well", DONE | {"depth": depth(3), "processes": WORKERS | {"worker-0": state("succeeded")}}, Start(("worker-0",))),
    ("but not at once", DONE | {"depth": depth(3), "processes": WORKERS | {"worker-0": DEAD}, "waits": frozenset({"worker-0"})}, Wait()),
    ("workers at work are left alone", DONE | {"depth": depth(3), "processes": WORKERS}, Wait()),
    ("workers that never start end the job", DONE | {"depth": depth(3), "processes": {"worker-0": DEAD}, "worker_failures": MAX_START_FAILURES}, End(state="worker_error", error=JobError(message=DEAD.detail))),
    ("without memory", DONE | {"depth": depth(3), "processes": {"worker-0": state("killed_oom", detail="no memory")}, "worker_failures": MAX_START_FAILURES}, End(state="worker_oom", error=JobError(message="no memory"))),
    ("an empty queue is looked at again", DONE | {"processes": WORKERS}, Wait()),
    ("the workers are drained first", DONE | {"processes": WORKERS, "is_empty_for_long": True}, Stop(("worker-0", "worker-1"))),
    ("then the job has succeeded", DONE | {"processes": {"worker-0": DEAD}, "is_empty_for_long": True}, End(state="succeeded")),
    ("or has failures", DONE | {"is_empty_for_long": True, "has_failures": True}, End(state="completed_with_failures")),
]  # fmt: skip


@pytest.mark.parametrize(("fields", "step"), [row[1:] for row in TABLE], ids=[row[0] for row in TABLE])
def test_a_batch_job_takes_this_step(fields: dict[str, Any], step: Step) -> None:
    assert decide(seen(**fields)) == step


TASK = make_spec(TASK_KEYS, workers=1)
TASK_TABLE: list[tuple[str, dict[str, Any], Step]] = [
    ("is marked", {"names": frozenset({"spec.json"})}, MarkRunning()),
    ("is started", {}, Start(("worker-0",))),
    ("is left alone", {"processes": {"worker-0": state()}}, Wait()),
    ("cannot be paused", {"names": RUNNING | {"pause"}, "processes": {"worker-0": state()}}, Wait()),
    ("succeeds", {"processes": {"worker-0": state("succeeded")}}, End(state="succeeded")),
    ("fails", {"processes": {"worker-0": DEAD}}, End(state="worker_error", error=JobError(message=DEAD.detail))),
    ("is stopped", {"names": RUNNING | {"stop"}}, End(state="stopped")),
]


@pytest.mark.parametrize(("fields", "step"), [row[1:] for row in TASK_TABLE], ids=[row[0] for row in TASK_TABLE])
def test_a_task_takes_this_step(fields: dict[str, Any], step: Step) -> None:
    assert decide(seen(**({"spec": TASK, "names": RUNNING, "depth": None} | fields))) == step


def test_workers_of_a_stored_job_without_a_bound_are_started_some_at_a_time() -> None:
    spec = dataclasses.replace(SPEC, workers=2**63 - 1)
    running = {ENQUEUER: state(), "worker-0": state()}
    step = decide(seen(names=RUNNING, spec=spec, processes=running, checkpoint=Checkpoint(batches=2)))
    assert step == Start(tuple(f"worker-{index}" for index in range(1, MAX_STARTS + 1)))
    everyone = running | {f"worker-{index}": state() for index in range(MAX_WORKERS)}
    assert decide(seen(names=RUNNING, spec=spec, processes=everyone, checkpoint=Checkpoint(batches=2))) == Wait()
