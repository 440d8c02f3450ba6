from __future__ import annotations

import dataclasses

import pytest

from dequeuer.jobs.queue import MAX_NAME_CHARS, queue_attributes, queue_name, queue_tags
from dequeuer.jobs.spec import DeadLetterQueue, JobSpec

SPEC = JobSpec(job_id="67a0000000000001", api_name="sum", kind="BatchAPI", workers=1, api_id="id")


def test_the_name_is_that_of_cortex() -> None:
    # The first digits of the SHA-256 of "cortex".
    assert queue_name("cortex", SPEC) == "cx_1ee11af4_b_sum_67a0000000000001.fifo"


@pytest.mark.parametrize("job_id", ["67a0000000000001", "j" * 63])
def test_the_longest_names_fit(job_id: str) -> None:
    spec = dataclasses.replace(SPEC, api_name="a" * 42, job_id=job_id)
    name = queue_name("cortex", spec)
    assert len(name) <= MAX_NAME_CHARS
    assert name.endswith(".fifo")
    assert name != queue_name("cortex", dataclasses.replace(spec, job_id=job_id[:-1] + "2"))


def test_attributes_and_tags() -> None:
    assert queue_attributes(SPEC) == {
        "FifoQueue": "true",
        "VisibilityTimeout": "60",
        "MessageRetentionPeriod": "1209600",
    }
    dead = dataclasses.replace(SPEC, dead_letter_queue=DeadLetterQueue(arn="arn:q", max_receive_count=3))
    assert queue_attributes(dead)["RedrivePolicy"] == '{"deadLetterTargetArn":"arn:q","maxReceiveCount":"3"}'
    assert queue_tags("prod", SPEC) == {
        "cortex.dev/cluster-name": "prod",
        "apiName": "sum",
        "apiID": "id",
        "jobID": SPEC.job_id,
    }
