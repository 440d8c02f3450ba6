"""The simulated SQS with the queues of jobs, and the client that one process has of it."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import Callable, Mapping
from typing import Any, Final

from botocore.exceptions import ClientError

from dequeuer.sources.sqs.source import UNKNOWN_RECEIPT_HANDLE
from tests.history.records import Op, Record
from tests.simulation.network import Action, Connection, FaultRates
from tests.simulation.queue import Queue

DEDUPLICATION_S: Final = 300.0
PURGE_INTERVAL_S: Final = 60.0
"""SQS refuses another purge, and the name of a deleted queue, for so long."""
MAX_MESSAGE_BYTES: Final = 2048
"""Of the simulation: small, so that bad items can be small, too."""
GONE: Final = "AWS.SimpleQueueService.NonExistentQueue"


class FifoQueue(Queue):
    """A FIFO queue in which each message is its own group. Its messages are known by their bodies."""

    def __init__(self, rates: FaultRates, record: Callable[[Record], None], max_receives: int | None) -> None:
        super().__init__(rates, record, max_receives)
        self._sent_at: dict[str, float] = {}
        self._purged_at = -PURGE_INTERVAL_S

    def send(self, entry: Mapping[str, Any]) -> None:
        """Add a message, unless one with its deduplication id was added in the last five minutes."""
        now, name = _now(), entry["MessageDeduplicationId"]
        if now - self._sent_at.get(name, -DEDUPLICATION_S) < DEDUPLICATION_S:
            return
        self._sent_at[name] = now
        self.submit(entry["MessageBody"], entry["MessageBody"], "", entry["MessageAttributes"])

    def purge(self) -> None:
        """Delete all messages."""
        if _now() - self._purged_at < PURGE_INTERVAL_S:
            raise refusal("AWS.SimpleQueueService.PurgeQueueInProgress")
        self._purged_at = _now()
        self.clear()

    def clear(self) -> None:
        """Forget all messages, when the queue is purged or deleted."""
        for message in self.messages:
            message.is_present = False
        self.messages.clear()


class Account:
    """The server: queues by name."""

    def __init__(self, rates: FaultRates, record: Callable[[Record], None]) -> None:
        self.queues: dict[str, FifoQueue] = {}
        self._dead: set[str] = set()
        self._rates = rates
        self._record = record
        self._deleted_at: dict[str, float] = {}

    def create(self, name: str, attributes: Mapping[str, str]) -> None:
        """Create a queue, unless there is one."""
        if _now() - self._deleted_at.get(name, -PURGE_INTERVAL_S) < PURGE_INTERVAL_S:
            raise refusal("AWS.SimpleQueueService.QueueDeletedRecently")
        if name not in self.queues:
            policy = json.loads(attributes.get("RedrivePolicy", "{}"))
            limit = int(policy["maxReceiveCount"]) if policy else None
            self.queues[name] = FifoQueue(self._rates, self._record, limit)

    def find(self, name: str) -> FifoQueue:
        """Return a queue."""
        if name not in self.queues:
            raise refusal(GONE)
        return self.queues[name]

    def all_dead(self) -> set[str]:
        """Return the bodies of all messages that were moved to the dead-letter queue."""
        return self._dead.union(*(queue.dead for queue in self.queues.values()))

    def delete(self, name: str) -> None:
        """Delete a queue."""
        queue = self.find(name)
        queue.clear()
        self._dead |= queue.dead
        del self.queues[name]
        self._deleted_at[name] = _now()


class SqsClient:
    """`SqsClient` of one process."""

    def __init__(self, account: Account, process: str, connection: Connection) -> None:
        self._account = account
        self._process = process
        self._connection = connection

    async def _send(self, action: Action, effect: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        return await self._connection.send(action, effect)

    async def create_queue(self, **request: Any) -> dict[str, Any]:
        def create() -> dict[str, Any]:
            self._account.create(request["QueueName"], request["Attributes"])
            return {"QueueUrl": _url(request["QueueName"])}

        return await self._send("sqs:send", create)

    async def get_queue_url(self, **request: Any) -> dict[str, Any]:
        def find() -> dict[str, Any]:
            self._account.find(request["QueueName"])
            return {"QueueUrl": _url(request["QueueName"])}

        return await self._send("sqs:depth", find)

    async def purge_queue(self, **request: Any) -> dict[str, Any]:
        def purge() -> dict[str, Any]:
            self._find(request).purge()
            return {}

        return await self._send("sqs:delete", purge)

    async def delete_queue(self, **request: Any) -> dict[str, Any]:
        def delete() -> dict[str, Any]:
            self._account.delete(_name(request))
            return {}

        return await self._send("sqs:delete", delete)

    async def get_queue_attributes(self, **request: Any) -> dict[str, Any]:
        def read() -> dict[str, Any]:
            queue = self._find(request)
            policy = (
                {"RedrivePolicy": json.dumps({"maxReceiveCount": str(queue.max_receives)})} if queue.has_redrive else {}
            )
            return {"Attributes": {**policy, **queue.counts(), "MaximumMessageSize": str(MAX_MESSAGE_BYTES)}}

        return await self._send("sqs:depth", read)

    async def receive_message(self, **request: Any) -> dict[str, Any]:
        async def wait() -> None:
            await self._connection.delay()
            if (queue := self._account.queues.get(_name(request))) is not None:
                await queue.wait_visible(request["WaitTimeSeconds"])

        def deliver() -> dict[str, Any]:
            limit, length_s = request["MaxNumberOfMessages"], request["VisibilityTimeout"]
            return {"Messages": self._find(request).deliver(self._process, limit, length_s)}

        return await self._connection.send("sqs:receive", deliver, before_effect=wait)

    async def send_message(self, **request: Any) -> dict[str, Any]:
        def send() -> dict[str, Any]:
            self._find(request).send(request)
            return {}

        return await self._send("sqs:send", send)

    async def send_message_batch(self, **request: Any) -> dict[str, Any]:
        def send(entry: Mapping[str, Any]) -> str | None:
            self._find(request).send(entry)
            return None

        return await self._each("sqs:send", request, send)

    async def delete_message_batch(self, **request: Any) -> dict[str, Any]:
        def delete(entry: Mapping[str, Any]) -> str | None:
            return self._find(request).delete(self._process, entry["ReceiptHandle"])

        return await self._each("sqs:delete", request, delete)

    async def change_message_visibility_batch(self, **request: Any) -> dict[str, Any]:
        def hide(entry: Mapping[str, Any]) -> str | None:
            op: Op = "extend" if entry["VisibilityTimeout"] else "release"
            return self._find(request).hide(self._process, entry["ReceiptHandle"], entry["VisibilityTimeout"], op)

        return await self._each("sqs:visibility", request, hide)

    async def _each(
        self, action: Action, request: Mapping[str, Any], act: Callable[[Mapping[str, Any]], str | None]
    ) -> dict[str, Any]:
        """Run `act` for each entry. A batch is no transaction: single entries may fail."""

        def run() -> dict[str, Any]:
            self._find(request)
            done, failed = [], []
            for entry in request["Entries"]:
                if entry.get("ReceiptHandle") == UNKNOWN_RECEIPT_HANDLE:
                    code: str | None = "ReceiptHandleIsInvalid"
                elif random.random() < self._connection.rates.unavailable:
                    code = "InternalError"
                else:
                    code = act(entry)
                if code is None:
                    done.append({"Id": entry["Id"]})
                else:
                    failed.append({"Id": entry["Id"], "Code": code})
            return {"Successful": done, "Failed": failed}

        return await self._send(action, run)

    def _find(self, request: Mapping[str, Any]) -> FifoQueue:
        return self._account.find(_name(request))


def refusal(code: str) -> Exception:
    """Return an error that SQS responds with."""
    error: Exception = ClientError({"Error": {"Code": code, "Message": "refused"}}, "Any")
    return error


def _url(name: str) -> str:
    return f"https://sqs.us-west-2.amazonaws.com/123456789012/{name}"


def _name(request: Mapping[str, Any]) -> str:
    return str(request["QueueUrl"]).rpartition("/")[2]


def _now() -> float:
    return asyncio.get_running_loop().time()
