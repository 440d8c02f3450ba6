import pytest

from dequeuer.jobs.layout import JobKind
from dequeuer.jobs.state import JobState, has_ended, parse_state, state_of

ORDER: list[JobState] = [
    "timed_out", "worker_oom", "worker_error", "enqueue_failed", "unexpected_error", "completed_with_failures",
    "succeeded", "stopped", "running", "enqueuing", "pending",
]  # fmt: skip


def test_the_marker_that_comes_first_in_cortex_is_the_status() -> None:
    for at, state in enumerate(ORDER):
        assert state_of({"spec.json", "x", *ORDER[at:]}, "BatchAPI") == state
    assert state_of({"spec.json", "payload.json", "metrics.json"}, "BatchAPI") == "unknown"


def test_a_stopped_task_is_stopped_whatever_else_is_there() -> None:
    assert state_of(set(ORDER), "TaskAPI") == "stopped"
    assert state_of(set(ORDER) - {"stopped"}, "TaskAPI") == "timed_out"


@pytest.mark.parametrize("kind", ["BatchAPI", "TaskAPI"])
def test_a_job_ends_once(kind: JobKind) -> None:
    assert {state for state in ORDER if not has_ended(state)} == {"running", "enqueuing", "pending"}
    assert not has_ended("unknown")
    assert all(state_of({state}, kind) == state for state in ORDER)


def test_other_texts_are_unknown() -> None:
    assert [parse_state(value) for value in ("running", "done", None, 7)] == [
        "running",
        "unknown",
        "unknown",
        "unknown",
    ]
