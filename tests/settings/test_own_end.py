"""The options by which a sidecar ends by itself."""

from __future__ import annotations

import pytest

from tests.settings.environments import ASYNC, BATCH, QUEUE, faults, load

BOTH = {"DEQUEUER_EXIT_WHEN_IDLE": "90.5", "DEQUEUER_MAX_MESSAGES": "3"}


def test_without_them_it_runs_until_it_is_told_to_end() -> None:
    settings = load([], ASYNC)
    assert (settings.exit_when_idle_s, settings.max_messages) == (None, None)


@pytest.mark.parametrize("environ", [ASYNC, QUEUE])
def test_async_apis_and_any_queue_have_both(environ: dict[str, str]) -> None:
    settings = load([], environ | BOTH)
    assert (settings.exit_when_idle_s, settings.max_messages) == (90.5, 3)


def test_a_batch_job_has_an_end_of_its_own() -> None:
    found = faults([], BATCH | BOTH)
    assert [fault.split(":")[0] for fault in found] == ["DEQUEUER_EXIT_WHEN_IDLE", "DEQUEUER_MAX_MESSAGES"]
    assert all("DEQUEUER_EXIT_WHEN_EMPTY" in fault and "DEQUEUER_API_KIND" in fault for fault in found)


def test_only_the_sidecar_of_a_batch_job_may_end_with_143_when_it_is_stopped() -> None:
    assert not load([], BATCH).fail_when_stopped
    assert load([], BATCH | {"DEQUEUER_FAIL_WHEN_STOPPED": "true"}).fail_when_stopped
    [fault] = faults([], ASYNC | {"DEQUEUER_FAIL_WHEN_STOPPED": "true"})
    assert "DEQUEUER_FAIL_WHEN_STOPPED: is for batch APIs" in fault


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("EXIT_WHEN_IDLE", "0"),
        ("EXIT_WHEN_IDLE", "0.5"),
        ("EXIT_WHEN_IDLE", "yes"),
        ("MAX_MESSAGES", "0"),
        ("MAX_MESSAGES", "1.5"),
    ],
)
def test_what_would_end_it_at_once_is_refused(name: str, value: str) -> None:
    [fault] = faults([], ASYNC | {f"DEQUEUER_{name}": value})
    assert f"DEQUEUER_{name}" in fault
    assert value in fault
