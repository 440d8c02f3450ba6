"""The queue of webhooks as one sidecar uses it: what is announced is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from dequeuer.core.events import ignore
from dequeuer.formats.webhook_event import decode_event
from dequeuer.sources.sqs.outbox import SqsOutbox
from dequeuer.sources.sqs.sdk_errors import translate
from tests.history.records import Record
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
        event, delivery = decode_event(request["MessageBody"]), DELIVERY.get()

        def send() -> dict[str, Any]:
            self._record(
                Record(
                    at=asyncio.get_running_loop().time(),
                    what="announced",
                    sidecar=self._sidecar,
                    ref=event.request_id,
                    delivery=delivery,
                    name=f"status/{event.status}",
                )
            )
            return {}

        return await self._connection.send("sqs:send", send)


def make_outbox(sidecar: str, connection: Connection, record: Callable[[Record], None]) -> SqsOutbox:
    """Return the real outbox with a simulated client."""
    client: Any = OutboxClient(sidecar, connection, record)
    return SqsOutbox(client, translate, "https://sqs/webhooks", ignore)
