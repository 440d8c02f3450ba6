"""The queue of webhooks, and the topic of events, as one sidecar uses them: what is announced is recorded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

from dequeuer.core.events import ignore
from dequeuer.formats.webhook_event import decode_event
from dequeuer.publishing.outbox import TopicOutbox
from dequeuer.sources.sqs.outbox import SqsOutbox
from dequeuer.sources.sqs.sdk_errors import translate
from tests.history.records import Record, What
from tests.simulation.network import Connection
from tests.simulation.store import DELIVERY

WEBHOOK = {"webhook": {"DataType": "String", "StringValue": "https://example.com/hook"}}
"""The attribute of a message whose request is announced."""


class OutboxClient:
    """The simulated client of one sidecar."""

    def __init__(self, sidecar: str, connection: Connection, record: Callable[[Record], None]) -> None:
        self._sidecar = sidecar
        self._connection = connection
        self._record = record

    async def send_message(self, **request: Any) -> dict[str, Any]:
        event = decode_event(request["MessageBody"])
        return await self._send("announced", event.request_id, event.status)

    async def publish(self, **request: Any) -> dict[str, Any]:
        data = json.loads(request["Message"])["data"]
        return await self._send("published", data["id"], data["status"])

    async def _send(self, what: What, ref: str, status: str) -> dict[str, Any]:
        delivery = DELIVERY.get()

        def send() -> dict[str, Any]:
            self._record(
                Record(
                    at=asyncio.get_running_loop().time(),
                    what=what,
                    sidecar=self._sidecar,
                    ref=ref,
                    delivery=delivery,
                    name=f"status/{status}",
                )
            )
            return {}

        return await self._connection.send("sqs:send", send)


def make_outboxes(
    sidecar: str, connection: Connection, record: Callable[[Record], None]
) -> tuple[SqsOutbox, TopicOutbox]:
    """Return the real outbox of webhooks, and that of events, with a simulated client."""
    client: Any = OutboxClient(sidecar, connection, record)
    webhooks = SqsOutbox(client, translate, "https://sqs/webhooks", ignore)
    return webhooks, TopicOutbox(client, translate, "arn:aws:sns:us-east-1:123456789012:ends", "api", ignore)
