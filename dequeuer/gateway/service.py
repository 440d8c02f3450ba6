"""What the gateway does, whatever the protocol in front of it and the services behind it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from dequeuer.core.errors import SourceDeniedError, SourceGoneError, SourceUnavailableError
from dequeuer.formats.envelope import MAX_BYTES, Envelope, encode_envelope
from dequeuer.gateway.body import Measured, prepend, too_large
from dequeuer.gateway.errors import BusyError, UnknownRequestError
from dequeuer.gateway.model import Receipt, Report, Submission, check_api_name, check_request_id
from dequeuer.gateway.queue import Queue
from dequeuer.gateway.shelf import Shelf
from dequeuer.sinks.base import Fetch, Sink
from dequeuer.sinks.layout import RequestKeys

SMALL_BYTES = 256 * 1024
"""A payload up to this size is read whole before anything is written, and its writing can be retried."""
SEND_TIMEOUT_S = 20.0


class Gateway:
    """Stores and enqueues requests, looks up what became of them.

    Raises the errors of `gateway.errors`, and whatever the body of a submission raises.

    Args:
        sink: where requests are stored.
        fetch: where they are looked up.
        queue: where they are sent.
        cluster_uid: the prefix of the keys.
        max_payload_bytes: a larger payload is refused.
        inline_bytes: payloads up to this size ride in the message itself; 0: none does.
    """

    def __init__(  # noqa: PLR0913 - one parameter a party or a limit
        self,
        *,
        sink: Sink,
        fetch: Fetch,
        queue: Queue,
        cluster_uid: str,
        max_payload_bytes: int,
        inline_bytes: int = 0,
    ) -> None:
        self._shelf = Shelf(sink, fetch)
        self._queue = queue
        self._cluster_uid = cluster_uid
        self._max_payload_bytes = max_payload_bytes
        self._inline_bytes = inline_bytes

    async def submit(self, new: Submission, *, may_exist: bool) -> Receipt:
        """Store a request, then enqueue it. Returned means that it will be worked on.

        `may_exist` is for an id that came from the client. If it is known already, nothing is
        overwritten, for a container may be reading it. It is sent again only while it is `in_queue`: the
        first try may have ended just before its message was sent. A FIFO queue drops the duplicate
        (within five minutes), a standard one delivers it, and finished work is not run again.
        """
        keys = self._keys(new.api_name, new.request_id)
        if new.size is not None and new.size > self._max_payload_bytes:
            raise too_large(self._max_payload_bytes)
        body = Measured(new.body, self._max_payload_bytes)
        known = await self._shelf.status(keys) if may_exist else None
        if known is None:
            await self._submit_new(keys, new, body, may_exist=may_exist)
            return Receipt(size=body.size, known_as=None)
        begin, is_all = await body.start(SMALL_BYTES)
        async for _ in body:  # not every client sees an answer that comes in mid-upload
            pass
        if known == "in_queue":
            await self._send(new, self._sealed(new, begin, is_all=is_all, again=True), may_repeat=True)
        return Receipt(size=body.size, known_as=known)

    async def _submit_new(self, keys: RequestKeys, new: Submission, body: Measured, *, may_exist: bool) -> None:
        begin, is_all = await body.start(SMALL_BYTES)
        # With an id from outside even the first message may not be the only one.
        sealed = self._sealed(new, begin, is_all=is_all, again=may_exist)
        try:
            if sealed is None:
                await self._store(keys, new, begin, None if is_all else body)
            # Before the message: a fast worker's later states must not be followed by this one.
            await self._shelf.put(keys.status("in_queue"), b"", "text/plain")
            await self._send(new, sealed, may_repeat=may_exist)
        except BaseException:
            # With an id from outside, a retry of the client may have succeeded meanwhile, here or at another
            # replica: deleting would lose it. What is left lets the next retry go on, or expires.
            if not may_exist:
                await self._shelf.clear(keys)
            raise

    def _sealed(self, new: Submission, begin: bytes, *, is_all: bool, again: bool) -> str | None:
        """Return the message that holds the whole request, if it is small enough."""
        if not is_all or not 0 < self._inline_bytes >= len(begin):
            return None
        sealed = encode_envelope(
            Envelope(
                request_id=new.request_id,
                headers=new.headers,
                content_type=new.content_type,
                payload=begin,
                may_repeat=again,
            )
        )
        return sealed if len(sealed) <= MAX_BYTES else None

    async def look_up(self, api_name: str, request_id: str) -> Report:
        """Return what is known of a request; raise `UnknownRequestError` if that is nothing."""
        keys = self._keys(api_name, request_id)
        status = await self._shelf.status(keys)
        if status is None:
            message = f"id {request_id} not found"
            raise UnknownRequestError(message)
        result = await self._shelf.result(keys) if status == "completed" else None
        error = await self._shelf.failure(keys) if status == "failed" else None
        return Report(status=status, result=result, error=error)

    def _keys(self, api_name: str, request_id: str) -> RequestKeys:
        return RequestKeys(self._cluster_uid, check_api_name(api_name), check_request_id(request_id))

    async def _store(self, keys: RequestKeys, new: Submission, begin: bytes, rest: AsyncIterator[bytes] | None) -> None:
        """Write headers and payload side by side."""
        try:
            async with asyncio.TaskGroup() as group:
                headers = self._shelf.put(keys.headers, new.headers, "application/json")
                group.create_task(headers, name="gateway-headers")
                if rest is None:
                    await self._shelf.put(keys.payload, begin, new.content_type)
                else:
                    await self._shelf.put_stream(keys.payload, prepend(begin, rest), new.content_type)
        except BaseExceptionGroup as both:
            # One of the two ended the other: the first error tells what happened.
            first = both.exceptions[0]
            raise first from first.__cause__

    async def _send(self, new: Submission, sealed: str | None, *, may_repeat: bool) -> None:
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await self._queue.send(new.queue_url, new.request_id, sealed or new.request_id, may_repeat=may_repeat)
        except SourceGoneError as error:
            message = f"the queue of API {new.api_name} does not exist: nothing was enqueued"
            raise BusyError(message) from error
        except SourceDeniedError as error:
            message = f"the queue of API {new.api_name} refuses the gateway: nothing was enqueued"
            raise BusyError(message) from error
        except (SourceUnavailableError, TimeoutError) as error:
            message = "the queue is not available: nothing was enqueued, try again"
            raise BusyError(message) from error
