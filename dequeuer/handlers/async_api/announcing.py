"""Announces the end of a request: after its outcome is durable, before its message is acknowledged.

The announcement is a message in another queue, the outbox; whoever delivers it takes as long as it takes. A worker that
ends between the two leaves the message of the request, and its redelivery, which does not call the container again,
sends the announcement: at least once, and never one without an outcome.
"""

from __future__ import annotations

from typing import Protocol

from dequeuer.core import clock
from dequeuer.core.errors import (
    SourceDeniedError,
    SourceUnavailableError,
    StoreDeniedError,
    StoreMissingError,
    StoreUnavailableError,
)
from dequeuer.core.message import WEBHOOK_ATTRIBUTE, Done, Fence, Message, Outcome, Retry
from dequeuer.core.retry import retry_until_available
from dequeuer.formats.failure import MAX_FAILURE_BYTES, decode_failure
from dequeuer.formats.webhook_event import WebhookEvent, encode_event, webhook_body
from dequeuer.handlers.backoff import backoff_s
from dequeuer.handlers.base import Handler
from dequeuer.sinks.base import Fetch
from dequeuer.sinks.layout import RequestKeys

DECIDED_AFTER_S = 60.0
"""A failure beside a result stands when it is this old: a delivery that finds the result just after it has written the
failure deletes the failure at once."""


class Outbox(Protocol):
    """A queue of what is to be announced."""

    async def send(self, body: str) -> None:
        """Send a message. When this returns, it is durable. Raises `SourceUnavailableError`, `SourceDeniedError`."""


class UndecidedError(Exception):
    """Another delivery of the request is deciding how it ends."""


class Announcing:
    """`Handler` around another one: announces each request that has ended.

    While a queue or the store is unavailable, or refuses, it waits: the lease of the message bounds that.

    Args:
        handler: ends requests.
        outbox: takes what is to be told to the receiver that a message names; None: nobody is told.
        events: takes the end of every request, in the form that receivers get; None: nobody asks for it.
        store: has the outcomes.
        cluster_uid: the first part of their keys.
        api_name: of the requests.
    """

    def __init__(  # noqa: PLR0913 - one parameter for each collaborator
        self,
        handler: Handler,
        *,
        outbox: Outbox | None,
        events: Outbox | None = None,
        store: Fetch,
        cluster_uid: str,
        api_name: str,
    ) -> None:
        self._handler = handler
        self._outbox = outbox
        self._events = events
        self._store = store
        self._cluster_uid = cluster_uid
        self._api_name = api_name
        self.needs_slot = handler.needs_slot
        self.ref = handler.ref

    async def handle(self, message: Message, fence: Fence) -> Outcome:
        """Handle a message. Its outcome is returned when its announcements are in their queues."""
        outcome = await self._handler.handle(message, fence)
        url = "" if self._outbox is None else message.attributes.get(WEBHOOK_ATTRIBUTE, "")
        if not isinstance(outcome, Done) or not (url or self._events):
            return outcome
        try:
            event = await self._event(message, url, outcome)
        except UndecidedError:
            after_s = backoff_s(message.receive_count)
            return Retry(after_s=after_s, reason="another delivery decides how the request ends: nothing is announced")
        if self._outbox is not None and url:
            await self._send(self._outbox, encode_event(event), fence)
        if self._events is not None:
            await self._send(self._events, webhook_body(event, None).decode(), fence)
        return outcome

    @staticmethod
    async def _send(outbox: Outbox, body: str, fence: Fence) -> None:
        async def attempt() -> None:
            fence.check()
            await outbox.send(body)

        await retry_until_available((SourceUnavailableError, SourceDeniedError), attempt)

    async def _event(self, message: Message, url: str, outcome: Done) -> WebhookEvent:
        request_id = self.ref(message)
        if outcome.state == "completed":
            return self._completed(url, request_id)
        return await retry_until_available((StoreUnavailableError, StoreDeniedError), self._stored, url, request_id)

    def _completed(self, url: str, request_id: str) -> WebhookEvent:
        return WebhookEvent(
            url=url, api_name=self._api_name, request_id=request_id, status="completed", ended_at=clock.wall()
        )

    async def _stored(self, url: str, request_id: str) -> WebhookEvent:
        """Return the event of the outcome that is stored: another delivery may have written it."""
        keys = RequestKeys(self._cluster_uid, self._api_name, request_id)
        names = await self._store.list(keys.prefix)
        if keys.completed in names:
            return self._completed(url, request_id)
        if keys.failed not in names:
            raise UndecidedError
        try:
            found = await self._store.get(keys.failed)
        except StoreMissingError:
            raise UndecidedError from None
        failure = decode_failure(await found.read(MAX_FAILURE_BYTES) or b"")
        if keys.result in names and clock.wall() - found.modified_at < DECIDED_AFTER_S:
            raise UndecidedError
        return WebhookEvent(
            url=url,
            api_name=self._api_name,
            request_id=request_id,
            status="failed",
            ended_at=found.modified_at,
            error=failure.error,
            code=failure.code,
        )
