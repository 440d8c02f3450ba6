"""The checker finds broken promises in recorded requests. A program that breaks them takes the place of the sidecar."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.load import submit
from tests.faults.recorder import RunRecorder
from tests.faults.request_faults import RequestFaults
from tests.faults.servers import Servers
from tests.faults.stage import TRANSIT_S, Stage, staged
from tests.integration.cloud import CLUSTER, Cloud
from tests.integration.waiting import eventually

LEASE_S = 2


@pytest.fixture
def stage(ministack: Servers, tmp_path: Path) -> Iterator[Stage]:
    with staged(ministack, tmp_path, RequestFaults(5), "async", slots=1) as made:
        yield made


class FaultySidecar:
    """Makes single calls through the proxy, in an order that breaks promises."""

    def __init__(self, stage: Stage) -> None:
        stage.recorder.sidecar_started("faulty")
        self._stage = stage
        self._cloud = Cloud("faulty", stage.proxy.open("faulty"))
        self.ref = submit(stage.bucket, stage.queue, stage.recorder, {"n": 1})
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

    def wait_until_the_lease_is_over(self) -> None:
        over_at = RunRecorder.now() + LEASE_S + TRANSIT_S
        eventually(lambda: RunRecorder.now() > over_at, "the lease to be over")


def rules(stage: Stage) -> set[str]:
    return {violation.rule for violation in stage.conclude().violations}


def test_an_acknowledgement_without_a_final_status_is_found(stage: Stage) -> None:
    FaultySidecar(stage).acknowledge()
    assert rules(stage) == {"ack before durable", "lost"}


def test_a_result_that_is_not_a_response_is_found(stage: Stage) -> None:
    faulty = FaultySidecar(stage)
    faulty.write("result.json", b"1")
    faulty.write("status/completed")
    faulty.acknowledge()
    assert rules(stage) == {"unknown result"}


def test_a_second_final_status_is_found(stage: Stage) -> None:
    faulty = FaultySidecar(stage)
    faulty.write("status/failed")
    faulty.acknowledge()
    faulty.write("status/completed")
    assert "two ends" in rules(stage)


def test_a_write_after_the_lease_is_found(stage: Stage) -> None:
    faulty = FaultySidecar(stage)
    faulty.wait_until_the_lease_is_over()
    faulty.write("status/failed")
    assert "call after the lease" in rules(stage)


def test_a_message_that_is_never_settled_is_stuck(stage: Stage) -> None:
    FaultySidecar(stage)
    assert rules(stage) == {"stuck"}
