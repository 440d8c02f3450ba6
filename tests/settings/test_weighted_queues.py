"""Several queues of one sidecar."""

from __future__ import annotations

import pytest

from dequeuer.settings.weighted_queues import MAX_QUEUES, WeightedQueue
from tests.settings.environments import ASYNC, BATCH, QUEUE, faults, load, without

HOST = "https://sqs.us-west-2.amazonaws.com/123456789012"
TWO = {"DEQUEUER_QUEUE_URLS": f"{HOST}/high 9, {HOST}/low  1"}


@pytest.mark.parametrize("environ", [ASYNC, QUEUE])
def test_several_queues_stand_for_the_only_one(environ: dict[str, str]) -> None:
    settings = load([], without(environ, "DEQUEUER_QUEUE_URL") | TWO)
    assert settings.queue_urls == (
        WeightedQueue(url=f"{HOST}/high", weight=9),
        WeightedQueue(url=f"{HOST}/low", weight=1),
    )
    assert [queue.name for queue in settings.queue_urls] == ["high", "low"]
    assert settings.queue_url == f"{HOST}/high"
    assert settings.aws.region == "us-west-2"


def test_both_are_a_fault() -> None:
    [fault] = faults([], ASYNC | TWO)
    assert fault.startswith("DEQUEUER_QUEUE_URLS: is given, and so is DEQUEUER_QUEUE_URL (or --queue); allowed: ")
    assert fault.endswith("; remove one of them")


def test_a_job_has_one_queue() -> None:
    [fault] = faults([], without(BATCH, "DEQUEUER_QUEUE_URL") | TWO)
    assert fault == (
        "DEQUEUER_QUEUE_URLS: is for async APIs and any queue: a job has one queue; remove it, or correct "
        "DEQUEUER_API_KIND (or --api-kind)"
    )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (f"{HOST}/high 9", "the number of queues is 1"),
        (", ".join(f"{HOST}/q{number} 1" for number in range(MAX_QUEUES + 1)), "the number of queues is 11"),
        (f"{HOST}/a 1, {HOST}/b 0", '"0" is not a weight'),
        (f"{HOST}/a 1, {HOST}/b 1001", '"1001" is not a weight'),
        (f"{HOST}/a 1, {HOST}/b", f'because of "{HOST}/b"'),
        (f"{HOST}/a=1, {HOST}/b=1", f'because of "{HOST}/a=1"'),
        (f"{HOST}/a 1, {HOST}/b 1.5", f'because of "{HOST}/b 1.5"'),
        (f"{HOST}/a 1, https://sqs.us-west-2.amazonaws.com 1", None),
        (f"{HOST}/a 1, ftp://x/b 1", None),
        (f"{HOST}/a 1, https://sqs.eu-west-1.amazonaws.com/1/a 2", '"a" is the name of 2 queues'),
    ],
)
def test_what_is_not_allowed_is_told_with_what_is(text: str, why: str | None) -> None:
    environ = without(ASYNC, "DEQUEUER_QUEUE_URL") | {"DEQUEUER_QUEUE_URLS": text}
    [fault] = faults([], environ)
    assert fault.startswith("DEQUEUER_QUEUE_URLS: ")
    assert "allowed: the URL of a queue, a space and a weight from 1 to 1000, for 2 to 10 queues" in fault
    if why is not None:
        assert f"({why})" in fault
