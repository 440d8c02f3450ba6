from __future__ import annotations

import asyncio
import io
import json
from typing import Any

import pytest

from dequeuer.dev.batch_samples import SampleJob, batches
from dequeuer.dev.display import PlainDisplay
from dequeuer.dev.errors import DevError
from dequeuer.dev.local_aws import LocalAws, queue_name
from dequeuer.dev.sidecar_log import SettledLine, parse_settled_line


class Sqs:
    """Takes messages and numbers them. `refused` are not taken."""

    def __init__(self, refused: frozenset[str] = frozenset()) -> None:
        self.sent: list[dict[str, Any]] = []
        self._refused = refused

    async def send_message_batch(self, *, QueueUrl: str, Entries: list[dict[str, Any]]) -> dict[str, Any]:  # noqa: N803 - the SDK's names
        taken = [entry for entry in Entries if entry["MessageBody"] not in self._refused]
        # SQS promises no order.
        return {"Successful": [{"Id": entry["Id"], "MessageId": self._take(entry)} for entry in reversed(taken)]}

    async def send_message(self, **message: Any) -> dict[str, Any]:
        return {"MessageId": self._take(message)}

    def _take(self, message: dict[str, Any]) -> str:
        self.sent.append(message)
        return f"of {message['MessageBody']}"


def local_aws(sqs: Sqs, url: str = "http://127.0.0.1:1/0/q.fifo") -> LocalAws:
    return LocalAws(queue_url=url, sqs=sqs)


def said(ref: str, settlement: str, reason: str = "") -> SettledLine:
    return SettledLine(ref=ref, settlement=settlement, reason=reason, held_s=0.4)


async def enqueued(bodies: list[str], sqs: Sqs | None = None) -> SampleJob:
    job = SampleJob(PlainDisplay(io.StringIO()))
    await job.enqueue(local_aws(sqs or Sqs()), bodies)
    return job


async def test_a_job_is_its_batches_and_one_completion_message() -> None:
    sqs = Sqs()
    job = await enqueued([f"[{number}]" for number in range(23)], sqs)
    assert len(sqs.sent) == 24
    end = sqs.sent[-1]
    told = {name: value["StringValue"] for name, value in end["MessageAttributes"].items()}
    assert told == {"job_complete": "true", "api_name": "sample", "job_id": "dev-job"}
    assert len({message["MessageGroupId"] for message in sqs.sent}) == 24
    assert [row.name for row in job.rows[-2:]] == ["batch 23 of 23", "/on-job-complete"]
    job.on_settled(said("of [11]", "succeeded"))
    assert [row.name for row in job.rows if row.status == "succeeded"] == ["batch 12 of 23"]


async def test_messages_to_a_standard_queue_have_no_group() -> None:
    sqs = Sqs()
    await local_aws(sqs, "http://127.0.0.1:1/0/q").send_batches(["[1]"])
    assert "MessageGroupId" not in sqs.sent[0]


async def test_a_batch_that_the_queue_did_not_take_is_an_error() -> None:
    with pytest.raises(DevError, match="did not take all batches"):
        await enqueued(["[1]", "[2]"], Sqs(refused=frozenset({"[2]"})))


async def test_the_job_is_over_when_all_is_settled() -> None:
    job = await enqueued(["[1]", "[2]"])
    following = asyncio.create_task(job.follow())
    job.on_settled(said("of [1]", "retried", "the container answered 503"))
    assert job.rows[0].status == "in_queue"
    job.on_settled(said("of [1]", "succeeded"))
    job.on_settled(said("of [2]", "rejected", "the container answered 500, not 200"))
    job.on_settled(said("of job_complete", "requeued"))
    assert not job.is_over
    job.on_settled(said("a new id", "job_completed"))
    rows = await following
    assert [row.status for row in rows] == ["succeeded", "failed", "completed"]
    assert rows[1].result == "the container answered 500, not 200"


async def test_a_finished_row_does_not_change() -> None:
    job = await enqueued(["[1]"])
    job.on_settled(said("of [1]", "succeeded"))
    job.on_settled(said("of [1]", "rejected"))
    assert job.rows[0].status == "succeeded"


async def test_a_completion_that_the_container_refused_is_a_failure() -> None:
    job = await enqueued(["[1]"])
    job.on_settled(said("of job_complete", "failed", "/on-job-complete: the container answered 500"))
    assert job.rows[-1].status == "failed"


def test_before_anything_is_enqueued_settled_messages_are_ignored() -> None:
    job = SampleJob(PlainDisplay(io.StringIO()))
    job.on_settled(said("stray", "succeeded"))
    assert job.rows == []


def test_batches_hold_different_items_and_are_arrays() -> None:
    items = [item["item"] for body in batches(3, None) for item in json.loads(body)]
    assert items == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert batches(2, '{"a": 1}') == ['[{"a": 1}]'] * 2
    assert batches(1, "[1, 2]") == ["[1, 2]"]


def test_names_of_queues_are_in_cortex_layout_and_good_for_sqs() -> None:
    assert queue_name("async", fifo=True) == "cx_dev_a_sample_1.fifo"
    assert queue_name("batch", fifo=False) == "cx_dev_b_sample_dev-job"


@pytest.mark.parametrize("line", ["", "Traceback (most recent call last):", "[]", "null", '{"event":"started"}', "{"])
def test_other_lines_of_the_sidecar_are_ignored(line: str) -> None:
    assert parse_settled_line(line) is None


def test_a_settled_message_is_read_from_the_log() -> None:
    line = '{"event":"message_settled","message_id":"m","settlement":"rejected","held_s":0.25,"reason":"why"}'
    assert parse_settled_line(line) == SettledLine(ref="m", settlement="rejected", reason="why", held_s=0.25)
    of_request = parse_settled_line(
        '{"event":"message_settled","request_id":"r","settlement":"completed","held_s":null}'
    )
    assert of_request == SettledLine(ref="r", settlement="completed", reason="", held_s=0.0)
