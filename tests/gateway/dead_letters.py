"""SQS in memory, as far as dead letters need it: a queue, its dead-letter queue, messages that are hidden for a time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dequeuer.core.errors import DequeuerError, SourceUnavailableError
from dequeuer.core.events import ErrorKind

BASE = "http://127.0.0.1:1/1234"
QUEUE, DEAD = f"{BASE}/the-queue", f"{BASE}/the-dead"
ARN = "arn:aws:sqs:us-east-1:1234:the-queue"


@dataclass
class Stored:
    """A message of a queue. It is visible from the loop time `visible_at` on."""

    id: str
    body: str
    attributes: dict[str, Any] = field(default_factory=dict)
    system: dict[str, str] = field(default_factory=dict)
    visible_at: float = 0.0
    receives: int = 0
    more: dict[str, Any] = field(default_factory=dict)


class FakeSqs:
    """The operations. `failing`: what they raise, by operation; `calls`: the operations that were called, in order."""

    def __init__(self, *, policy: str | None = None, suffix: str = "", url: str = QUEUE) -> None:
        self.queue, self.dead = url + suffix, DEAD + suffix
        self.arn = ARN + suffix
        arn = f"arn:aws:sqs:us-east-1:1234:the-dead{suffix}"
        self.policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 5}) if policy is None else policy
        self.messages: dict[str, list[Stored]] = {self.queue: [], self.dead: []}
        self.failing: dict[str, Exception] = {}
        self.calls: list[str] = []
        self.hangs = ""
        self.call_s = 0.0
        """What each call takes."""
        self.dies_at = 0
        """The number of the call from which on none arrives: the gateway is killed. 0: it is not."""
        self._numbers = 0

    def bury(self, body: str, source: str = "", **attributes: str) -> Stored:
        """Put a message into the dead-letter queue. `source`: the ARN of the queue that it comes from."""
        self._numbers += 1
        given = {name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()}
        system = {"SentTimestamp": "1620043200750", "DeadLetterQueueSourceArn": source or self.arn}
        stored = Stored(f"m{self._numbers}", body, given, system, receives=5)
        self.messages[self.dead].append(stored)
        return stored

    def bodies(self, url: str) -> list[str]:
        """Return the bodies of a queue."""
        return [one.body for one in self.messages[url]]

    def visible(self, url: str) -> list[str]:
        """Return the bodies that a receive could bring now."""
        return [one.body for one in self.messages[url] if one.visible_at <= self._now()]

    async def get_queue_attributes(self, **request: Any) -> Mapping[str, Any]:
        await self._called("get_queue_attributes")
        found = {"QueueArn": self.arn}
        if request["QueueUrl"] == self.queue and self.policy:
            found["RedrivePolicy"] = self.policy
        visible = len(self.visible(request["QueueUrl"]))
        found["ApproximateNumberOfMessagesDelayed"] = "0"
        found["ApproximateNumberOfMessages"] = str(visible)
        found["ApproximateNumberOfMessagesNotVisible"] = str(len(self.messages[request["QueueUrl"]]) - visible)
        return {"Attributes": {name: found[name] for name in request["AttributeNames"] if name in found}}

    async def receive_message(self, **request: Any) -> Mapping[str, Any]:
        await self._called("receive_message")
        assert 1 <= request["MaxNumberOfMessages"] <= 10
        raw: list[Mapping[str, Any]] = []
        for one in self.messages[request["QueueUrl"]]:
            if one.visible_at <= self._now() and len(raw) < request["MaxNumberOfMessages"]:
                one.visible_at = self._now() + request["VisibilityTimeout"]
                one.receives += 1
                system = {**one.system, "ApproximateReceiveCount": str(one.receives)}
                raw.append(
                    {
                        "MessageId": one.id,
                        "ReceiptHandle": f"handle of {one.id}",
                        "Body": one.body,
                        "Attributes": system,
                        "MessageAttributes": one.attributes,
                    }
                )
        return {"Messages": raw} if raw else {}

    async def send_message(self, **request: Any) -> Mapping[str, Any]:
        await self._called("send_message")
        if request["MessageBody"] in self.failing:
            raise self.failing[request["MessageBody"]]
        self._numbers += 1
        more = {name: value for name, value in request.items() if name.startswith("MessageG") or "Dedup" in name}
        self.messages[request["QueueUrl"]].append(
            Stored(f"m{self._numbers}", request["MessageBody"], dict(request["MessageAttributes"]), more=more)
        )
        return {"MessageId": f"m{self._numbers}"}

    async def delete_message_batch(self, **request: Any) -> Mapping[str, Any]:
        await self._called("delete_message_batch")
        gone = {entry["ReceiptHandle"] for entry in request["Entries"]}
        kept = [one for one in self.messages[request["QueueUrl"]] if f"handle of {one.id}" not in gone]
        self.messages[request["QueueUrl"]] = kept
        return {}

    async def change_message_visibility_batch(self, **request: Any) -> Mapping[str, Any]:
        await self._called("change_message_visibility_batch")
        assert len(request["Entries"]) <= 10
        until = {entry["ReceiptHandle"]: entry["VisibilityTimeout"] for entry in request["Entries"]}
        for one in self.messages[request["QueueUrl"]]:
            if (seconds := until.get(f"handle of {one.id}")) is not None:
                one.visible_at = self._now() + seconds
        return {}

    async def _called(self, operation: str) -> None:
        self.calls.append(operation)
        if 0 < self.dies_at <= len(self.calls):
            raise SourceUnavailableError("killed")
        if operation in self.failing:
            raise self.failing[operation]
        await (asyncio.Event().wait() if operation == self.hangs else asyncio.sleep(self.call_s))

    def _now(self) -> float:
        return asyncio.get_running_loop().time()


def translate(error: Exception) -> tuple[ErrorKind, DequeuerError]:
    """Pass on what the test raises."""
    assert isinstance(error, DequeuerError)
    return "unavailable", error
