"""What is seen on the wire convicts who breaks a promise: a rogue in place of the sidecar."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.load import submit
from tests.faults.notebook import Notebook
from tests.faults.plan import Plan
from tests.faults.servers import Servers
from tests.faults.stage import TRANSIT_S, Stage, staged
from tests.integration.cloud import CLUSTER, Cloud
from tests.integration.waiting import eventually

LEASE_S = 2


@pytest.fixture
def stage(ministack: Servers, tmp_path: Path) -> Iterator[Stage]:
    with staged(ministack, tmp_path, Plan(5), "async", slots=1) as made:
        yield made


class Rogue:
    """Does as it likes, through the proxy."""

    def __init__(self, stage: Stage) -> None:
        stage.notebook.begins("rogue")
        self._stage = stage
        self._cloud = Cloud("rogue", stage.proxy.open("rogue"))
        self.ref = submit(stage.bucket, stage.queue, stage.notebook, {"n": 1})
        self._url = stage.queue.url
        [message] = self._cloud.sqs.receive_message(
            QueueUrl=self._url,
            VisibilityTimeout=LEASE_S,
            MessageSystemAttributeNames=["ApproximateReceiveCount"],
        )["Messages"]
        assert message["Body"] == self.ref
        self._receipt = message["ReceiptHandle"]

    def write(self, name: str, body: bytes = b"") -> None:
        key = f"{CLUSTER}/workloads/api/{self.ref}/{name}"
        self._cloud.s3.put_object(Bucket=self._stage.bucket.name, Key=key, Body=body)

    def acknowledge(self) -> None:
        entry = {"Id": "0", "ReceiptHandle": self._receipt}
        answer = self._cloud.sqs.delete_message_batch(QueueUrl=self._url, Entries=[entry])
        assert answer["Successful"]

    def wait_for_the_end_of_the_lease(self) -> None:
        over_at = Notebook.now() + LEASE_S + TRANSIT_S
        eventually(lambda: Notebook.now() > over_at, "the lease to be over")


def rules(stage: Stage) -> set[str]:
    return {violation.rule for violation in stage.conclude().violations}


def test_an_acknowledgement_without_an_end(stage: Stage) -> None:
    Rogue(stage).acknowledge()
    assert rules(stage) == {"ack before durable", "lost"}


def test_a_result_that_nobody_gave(stage: Stage) -> None:
    rogue = Rogue(stage)
    rogue.write("result.json", b"1")
    rogue.write("status/completed")
    rogue.acknowledge()
    assert rules(stage) == {"unknown result"}


def test_both_ends(stage: Stage) -> None:
    rogue = Rogue(stage)
    rogue.write("status/failed")
    rogue.acknowledge()
    rogue.write("status/completed")
    assert "two ends" in rules(stage)


def test_a_write_after_the_lease(stage: Stage) -> None:
    rogue = Rogue(stage)
    rogue.wait_for_the_end_of_the_lease()
    rogue.write("status/failed")
    assert "call after the lease" in rules(stage)


def test_nothing_done_is_no_crime_but_the_message_is_still_there(stage: Stage) -> None:
    Rogue(stage)
    assert rules(stage) == {"stuck"}
