"""The queue as one sidecar uses it: a simulated SDK client, and the real source with it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from botocore.exceptions import ClientError, EndpointConnectionError

from dequeuer.core.events import SourceOp
from dequeuer.sources.base import Lease
from dequeuer.sources.sqs.source import UNKNOWN_RECEIPT_HANDLE, SqsSource
from tests.history.records import Op, Record
from tests.simulation.network import Connection
from tests.simulation.queue import Queue


class QueueClient:
    """The simulated SDK client of one sidecar. It implements `SqsOperations`."""

    def __init__(self, queue: Queue, sidecar: str, connection: Connection, record: Callable[[Record], None]) -> None:
        self._queue = queue
        self._sidecar = sidecar
        self._connection = connection
        self._record = record
        self._decided: dict[tuple[str, int], Op] = {}

    async def receive_message(self, **request: Any) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        began_at = loop.time()

        async def wait() -> None:
            await self._connection.delay()
            await self._queue.wait_visible(request["WaitTimeSeconds"])

        def deliver() -> dict[str, Any]:
            limit, length_s = request["MaxNumberOfMessages"], request["VisibilityTimeout"]
            return {"Messages": self._queue.deliver(self._sidecar, limit, length_s, loop.time() - began_at)}

        return await self._connection.send("sqs:receive", deliver, before_effect=wait)

    async def delete_message_batch(self, **request: Any) -> dict[str, Any]:
        entries = request["Entries"]
        for entry in entries:
            if entry["ReceiptHandle"] != UNKNOWN_RECEIPT_HANDLE:
                self._record_asked("ack", entry["ReceiptHandle"])
        return await self._connection.send("sqs:delete", lambda: self._each(entries, self._delete))

    async def change_message_visibility_batch(self, **request: Any) -> dict[str, Any]:
        entries = request["Entries"]
        for entry in entries:
            if entry["ReceiptHandle"] != UNKNOWN_RECEIPT_HANDLE:
                self._record_asked(
                    self._decided[entry["ReceiptHandle"], entry["VisibilityTimeout"]], entry["ReceiptHandle"]
                )
        return await self._connection.send("sqs:visibility", lambda: self._each(entries, self._hide))

    def _delete(self, entry: Mapping[str, Any]) -> str | None:
        receipt = entry["ReceiptHandle"]
        return (
            "ReceiptHandleIsInvalid"
            if receipt == UNKNOWN_RECEIPT_HANDLE
            else self._queue.delete(self._sidecar, receipt)
        )

    def _hide(self, entry: Mapping[str, Any]) -> str | None:
        receipt = entry["ReceiptHandle"]
        if receipt == UNKNOWN_RECEIPT_HANDLE:
            return "ReceiptHandleIsInvalid"
        return self._queue.hide(
            self._sidecar, receipt, entry["VisibilityTimeout"], self._decided[receipt, entry["VisibilityTimeout"]]
        )

    async def get_queue_attributes(self, **request: Any) -> dict[str, Any]:
        def read() -> dict[str, Any]:
            policy = {"RedrivePolicy": "{}"} if self._queue.has_redrive else {}
            return {"Attributes": {**policy, **self._queue.counts()}}

        return await self._connection.send("sqs:depth", read)

    async def send_message(self, **request: Any) -> dict[str, Any]:
        def send() -> dict[str, Any]:
            kind = "completion" if "job_complete" in request["MessageAttributes"] else ""
            ref = request["MessageAttributes"]["ref"]["StringValue"]
            self._queue.submit(ref, request["MessageBody"], kind, request["MessageAttributes"])
            self._record(self._sent_again("done", receipt))
            return {}

        # The attributes of the message that is sent again.
        receipt = request["MessageAttributes"]["delivery"]["StringValue"]
        self._record(self._sent_again("asked", receipt))
        return await self._connection.send("sqs:send", send)

    def _sent_again(self, what: Literal["asked", "done"], receipt: str) -> Record:
        now, ref = asyncio.get_running_loop().time(), self._queue.ref(receipt)
        return Record(at=now, what=what, op="send", sidecar=self._sidecar, ref=ref, delivery=receipt)

    def _each(self, entries: list[Any], act: Callable[[Mapping[str, Any]], str | None]) -> dict[str, Any]:
        """Run `act` for each entry. A batch is no transaction: single entries may fail."""
        done, failed = [], []
        for entry in entries:
            code = "InternalError" if random.random() < self._connection.rates.unavailable else act(entry)
            if code is None:
                done.append({"Id": entry["Id"]})
            else:
                failed.append({"Id": entry["Id"], "Code": code})
        return {"Successful": done, "Failed": failed}

    def record_received(self, receipt: str, asked_at: float) -> None:
        """Record that a delivery has arrived, and how long after it was asked for."""
        now, ref = asyncio.get_running_loop().time(), self._queue.ref(receipt)
        self._record(
            Record(at=now, what="received", sidecar=self._sidecar, ref=ref, delivery=receipt, seconds=now - asked_at)
        )

    def record_renewed(self, receipt: str, seconds: int) -> None:
        """Record a renewal whose response has arrived."""
        now, ref = asyncio.get_running_loop().time(), self._queue.ref(receipt)
        self._record(
            Record(at=now, what="renewed", sidecar=self._sidecar, ref=ref, delivery=receipt, seconds=float(seconds))
        )

    def record_decision(self, op: Op, receipt: str, until: float, seconds: int = 0) -> None:
        """Record a decision of the sidecar. It is needed because a renewal and a release are the same SQS request.

        `until`: the loop time after which the request must not be sent.
        """
        self._decided[receipt, seconds] = op
        if asyncio.get_running_loop().time() < until:
            self._record_asked(op, receipt)

    def _record_asked(self, op: Op, receipt: str) -> None:
        ref = self._queue.ref(receipt)
        self._record(
            Record(
                at=asyncio.get_running_loop().time(),
                what="asked",
                op=op,
                sidecar=self._sidecar,
                ref=ref,
                delivery=receipt,
            )
        )


class RecordingSource(SqsSource):
    """The real source. Each decision is recorded when it is made, and again when it is sent.

    When the process was stopped, a decision can come after the end of its lease. The source must not send it, so it is
    not recorded when it is made. If it is sent nevertheless, that is recorded, and the checker reports it.
    """

    def __init__(self, client: QueueClient, **options: Any) -> None:
        super().__init__(client, **options)
        self._recording_client = client

    async def receive(self, limit: int, *, wait_s: int | None = None) -> Sequence[Lease]:
        asked_at = asyncio.get_running_loop().time()
        leases = await super().receive(limit, wait_s=wait_s)
        for lease in leases:
            self._recording_client.record_received(lease.message.attributes["delivery"], asked_at)
        return leases

    async def delete(self, receipt: str, until: float) -> None:
        self._recording_client.record_decision("ack", receipt, until)
        await super().delete(receipt, until)

    async def change_visibility(self, receipt: str, seconds: int, op: SourceOp, until: float) -> None:
        self._recording_client.record_decision("extend" if op == "renew" else "release", receipt, until, seconds)
        await super().change_visibility(receipt, seconds, op, until)
        if op == "renew":
            self._recording_client.record_renewed(receipt, seconds)


def unavailable_error() -> Exception:
    """Return an error of SQS when it is unavailable or throttles."""
    error: Exception = EndpointConnectionError(endpoint_url="sqs")
    if random.random() < 0.5:
        error = ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "Any")
    return error


def denied_error() -> Exception:
    """Return the error of SQS for a missing permission; a retry does not help."""
    error: Exception = ClientError({"Error": {"Code": "AccessDenied", "Message": "refused"}}, "Any")
    return error
