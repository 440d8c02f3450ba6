from __future__ import annotations

import json

import pytest

from dequeuer.jobs.worker_counts import InvalidCountsError, WorkerCounts, dump_counts, dump_metrics, parse_counts, total

SOME = WorkerCounts(succeeded=3, failed_attempts=2, failed_batches=1, seconds=1.5, failed_items=4, failed_completions=1)


def test_counts_come_back_as_they_were() -> None:
    assert parse_counts(dump_counts(SOME)) == SOME


INFINITE = dump_counts(SOME).replace(b":3,", b":Infinity,")


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[]", b"{}", b'{"succeeded": "x"}', b"null", INFINITE, b'{"succeeded": ' + b"[" * 100_000]
)
def test_other_text_is_refused(text: bytes) -> None:
    with pytest.raises(InvalidCountsError):
        parse_counts(text)


def test_metrics_are_those_of_cortex() -> None:
    both = total([SOME, SOME])
    assert json.loads(dump_metrics(both)) == {"succeeded": 6, "failed": 4, "average_time_per_batch": 0.5}
    assert dump_metrics(total([])) == b'{"succeeded":0,"failed":0,"average_time_per_batch":null}'


def test_what_failed_for_good_is_a_failure() -> None:
    assert WorkerCounts(failed_batches=1).has_failures
    assert WorkerCounts(failed_items=1).has_failures
    assert WorkerCounts(failed_completions=1).has_failures
    assert not WorkerCounts(failed_attempts=9).has_failures
