"""One sidecar's way to the queue: the SDK's client, and the real source on top of it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError

from dequeuer.core.events import SourceOp
from dequeuer.sources.base import Lease
from dequeuer.sources.sqs.source import UNKNOWN_RECEIPT_HANDLE, SqsSource
from tests.history.records import Op, Record
from tests.simulation.queue import Queue
from tests.simulation.weather import Port


class QueueClient:
    """The SDK's client as one sidecar has it: `SqsOperations`."""

    def __init__(self, queue: Queue, sidecar: str, port: Port, tell: Callable[[Record], None]) -> None:
        self._queue = queue
        self._sidecar = sidecar
        self._port = port
        self._tell = tell
        self._wanted: dict[tuple[str, int], Op] = {}

    async def receive_message(self, **request: Any) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        began_at = loop.time()

        async def wait() -> None:
            await self._port.travel()
            await self._queue.wait_visible(request["WaitTimeSeconds"])

        def hand_out() -> dict[str, Any]:
            limit, length_s = request["MaxNumberOfMessages"], request["VisibilityTimeout"]
            return {"Messages": self._queue.hand_out(self._sidecar, limit, length_s, loop.time() - began_at)}

        return await self._port.send("sqs:receive", hand_out, way_in=wait)

    async def delete_message_batch(self, **request: Any) -> dict[str, Any]:
        entries = request["Entries"]
        for entry in entries:
            if entry["ReceiptHandle"] != UNKNOWN_RECEIPT_HANDLE:
                self._note("ack", entry["ReceiptHandle"])
        return await self._port.send("sqs:delete", lambda: self._each(entries, self._delete))

    async def change_message_visibility_batch(self, **request: Any) -> dict[str, Any]:
        entries = request["Entries"]
        for entry in entries:
            if entry["ReceiptHandle"] != UNKNOWN_RECEIPT_HANDLE:
                self._note(self._wanted[entry["ReceiptHandle"], entry["VisibilityTimeout"]], entry["ReceiptHandle"])
        return await self._port.send("sqs:visibility", lambda: self._each(entries, self._hide))

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
            self._sidecar, receipt, entry["VisibilityTimeout"], self._wanted[receipt, entry["VisibilityTimeout"]]
        )

    async def get_queue_attributes(self, **request: Any) -> dict[str, Any]:
        def read() -> dict[str, Any]:
            policy = {"RedrivePolicy": "{}"} if self._queue.has_redrive else {}
            return {"Attributes": {**policy, **self._queue.counts()}}

        return await self._port.send("sqs:depth", read)

    async def send_message(self, **request: Any) -> dict[str, Any]:
        def send() -> dict[str, Any]:
            kind = "completion" if "job_complete" in request["MessageAttributes"] else ""
            self._queue.submit(request["MessageBody"], request["MessageBody"], kind, request["MessageAttributes"])
            return {}

        return await self._port.send("sqs:send", send)

    def _each(self, entries: list[Any], act: Callable[[Mapping[str, Any]], str | None]) -> dict[str, Any]:
        """A batch is no transaction: some of its entries may fail."""
        done, failed = [], []
        for entry in entries:
            code = "InternalError" if random.random() < self._port.weather.refused else act(entry)
            if code is None:
                done.append({"Id": entry["Id"]})
            else:
                failed.append({"Id": entry["Id"], "Code": code})
        return {"Successful": done, "Failed": failed}

    def got(self, receipt: str, asked_at: float) -> None:
        """Take note of what has arrived."""
        now, ref = asyncio.get_running_loop().time(), self._queue.ref(receipt)
        self._tell(Record(at=now, what="got", sidecar=self._sidecar, ref=ref, delivery=receipt, seconds=now - asked_at))

    def renewed(self, receipt: str, seconds: int) -> None:
        """Take note of a renewal whose response has arrived."""
        now, ref = asyncio.get_running_loop().time(), self._queue.ref(receipt)
        self._tell(
            Record(at=now, what="renewed", sidecar=self._sidecar, ref=ref, delivery=receipt, seconds=float(seconds))
        )

    def expect(self, op: Op, receipt: str, until: float, seconds: int = 0) -> None:
        """Take note of what the sidecar has decided: a renewal and a release are one and the same request.

        `until`: loop time after which it is not to be sent.
        """
        self._wanted[receipt, seconds] = op
        if asyncio.get_running_loop().time() < until:
            self._note(op, receipt)

    def _note(self, op: Op, receipt: str) -> None:
        ref = self._queue.ref(receipt)
        self._tell(
            Record(
                at=asyncio.get_running_loop().time(),
                what="asked",
                op=op,
                sidecar=self._sidecar,
                ref=ref,
                delivery=receipt,
            )
        )


class WatchedSource(SqsSource):
    """The real source; what it decides is put on record at that moment, and once more when it is sent.

    A decision that comes after the end of its lease, after the process was stopped, is sent to nobody: the source
    drops it. Only if it is sent all the same is it on record.
    """

    def __init__(self, client: QueueClient, **options: Any) -> None:
        super().__init__(client, **options)
        self._watched = client

    async def receive(self, limit: int, *, wait: bool = True) -> Sequence[Lease]:
        asked_at = asyncio.get_running_loop().time()
        leases = await super().receive(limit, wait=wait)
        for lease in leases:
            self._watched.got(lease.message.attributes["delivery"], asked_at)
        return leases

    async def delete(self, receipt: str, until: float) -> None:
        self._watched.expect("ack", receipt, until)
        await super().delete(receipt, until)

    async def change_visibility(self, receipt: str, seconds: int, op: SourceOp, until: float) -> None:
        self._watched.expect("extend" if op == "renew" else "release", receipt, until, seconds)
        await super().change_visibility(receipt, seconds, op, until)
        if op == "renew":
            self._watched.renewed(receipt, seconds)


def away() -> Exception:
    """Return one of the errors that say that SQS cannot be had just now."""
    error: Exception = EndpointConnectionError(endpoint_url="sqs")
    if random.random() < 0.5:
        error = ClientError({"Error": {"Code": "ThrottlingException", "Message": "slow down"}}, "Any")
    return error


def refused() -> Exception:
    """Return the error that says that SQS refuses for good."""
    error: Exception = ClientError({"Error": {"Code": "AccessDenied", "Message": "refused"}}, "Any")
    return error
