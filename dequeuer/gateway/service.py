"""The gateway without HTTP: stores and enqueues requests, looks up their status."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial

from dequeuer.core.errors import SourceDeniedError, SourceGoneError, SourceUnavailableError
from dequeuer.formats.envelope import MAX_BYTES, Envelope, encode_envelope
from dequeuer.gateway.body import MAX_BUFFERED_BYTES, BoundedBody, payload_too_large, prepend
from dequeuer.gateway.errors import BusyError, UnknownRequestError
from dequeuer.gateway.idempotency import submit_once
from dequeuer.gateway.idempotency_key import IdempotencyKey
from dequeuer.gateway.key_records import KeyRecords
from dequeuer.gateway.model import FoundRequest, Report, Submission, SubmitResult, check_api_name, check_request_id
from dequeuer.gateway.pausing import Pauses
from dequeuer.gateway.queue import GroupsRefusedError, Queue
from dequeuer.gateway.request_listing import ListedRequests, RequestListings, RequestPage
from dequeuer.gateway.request_store import Reads, RequestStore
from dequeuer.sinks.base import Payload, Sink
from dequeuer.sinks.layout import ApiKeys, RequestKeys
from dequeuer.sources.sqs.sending import attributes_size

SEND_TIMEOUT_S = 20.0


class Gateway:
    """Stores and enqueues requests, and looks up their status.

    Raises the errors of `gateway.errors`, and the errors that the body of a submission raises.

    Args:
        sink: stores requests.
        reads: reads their status and results.
        queue: sends their messages.
        cluster_uid: the prefix of the keys.
        max_payload_bytes: a larger payload is refused.
        inline_bytes: a payload up to this size is put into the queue message; 0 means none is.
        pause_check_interval_s: how often sidecars look for pauses, seconds; 0: they do not.
    """

    def __init__(  # noqa: PLR0913 - collaborators and limits
        self,
        *,
        sink: Sink,
        reads: Reads,
        queue: Queue,
        cluster_uid: str,
        max_payload_bytes: int,
        inline_bytes: int = 0,
        pause_check_interval_s: float = 0.0,
    ) -> None:
        self._requests = RequestStore(sink, reads)
        self._listings = RequestListings(self._requests)
        self.pauses = Pauses(self._requests, cluster_uid, pause_check_interval_s)
        """Which APIs are paused."""
        self._queue = queue
        self._cluster_uid = cluster_uid
        self._max_payload_bytes = max_payload_bytes
        self._inline_bytes = inline_bytes
        self.submitting = 0
        """Requests that are being read, stored or enqueued."""

    async def submit_once(self, new: Submission, key: IdempotencyKey, *, may_exist: bool) -> SubmitResult:
        """Submit a request with an idempotency key: the id may be that of an earlier submission with the same one.

        Raises `KeyInUseError`, `KeyReusedError`, besides what `submit` raises.
        """
        check_request_id(new.request_id)
        self._check_size(new)

        async def submit(claimed: Submission, may_exist: bool) -> SubmitResult:  # noqa: FBT001 - a `Submit`
            return await self._submit(claimed, may_exist=may_exist, may_repeat=True)

        with self._counted():
            return await submit_once(
                new,
                records=KeyRecords(
                    self._requests, ApiKeys(self._cluster_uid, check_api_name(new.api_name)), key.digest
                ),
                store=self._requests,
                keys_of=partial(self._keys, new.api_name),
                body=BoundedBody(new.body, self._max_payload_bytes),
                may_exist=may_exist,
                submit=submit,
            )

    async def submit(self, new: Submission, *, may_exist: bool) -> SubmitResult:
        """Store a request, then enqueue it. When this returns, the request will be processed.

        Args:
            new: the request.
            may_exist: true for an id that came from the client.

        When a request with this id exists, nothing is overwritten, because the container may be reading it. Its
        message is sent again only while its status is `in_queue`: the first attempt may have failed just before it
        sent the message. A FIFO queue drops the duplicate (within five minutes). A standard queue delivers it, and
        the sidecar does not run finished work again.
        """
        with self._counted():
            return await self._submit(new, may_exist=may_exist, may_repeat=may_exist)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self.submitting += 1
        try:
            yield
        finally:
            self.submitting -= 1

    async def _submit(self, new: Submission, *, may_exist: bool, may_repeat: bool) -> SubmitResult:
        keys = self._keys(new.api_name, new.request_id)
        self._check_size(new)
        body = BoundedBody(new.body, self._max_payload_bytes)
        found = await self._requests.find(keys) if may_exist else None
        if found is None:
            await self._submit_new(keys, new, body, may_repeat=may_repeat)
            return SubmitResult(request_id=new.request_id, size=body.size, existing_status=None)
        beginning, is_whole = await body.read_beginning(MAX_BUFFERED_BYTES)
        async for _ in body:  # some clients ignore a response that arrives before the upload ends
            pass
        if new.witness is not None:
            await new.witness.before_message(existed=True)
        if found.status == "in_queue":
            inline = self._inline_message(new, beginning, is_whole=is_whole, may_repeat=True)
            if inline is None and is_whole and (_is_checked(new) or "payload" not in found.times):
                # The gateway before may have put it into its message; what is stored may be a payload that was refused.
                await self._store(keys, new, beginning, None)
            await self._send(new, inline, may_repeat=True)
        return SubmitResult(request_id=new.request_id, size=body.size, existing_status=found.status)

    async def _submit_new(self, keys: RequestKeys, new: Submission, body: BoundedBody, *, may_repeat: bool) -> None:
        beginning, is_whole = await body.read_beginning(MAX_BUFFERED_BYTES)
        # The client may have submitted an id of its own before: the message may not be the only one for it.
        inline = self._inline_message(new, beginning, is_whole=is_whole, may_repeat=may_repeat)
        try:
            existed = False
            if inline is None:
                existed = not await self._store(keys, new, beginning, None if is_whole else body)
            if new.witness is not None:
                await new.witness.before_message(existed=existed)
            # Written before the message is sent: otherwise a fast sidecar could write a later status first.
            await self._requests.put(keys.status("in_queue"), b"", "text/plain")
            await self._send(new, inline, may_repeat=may_repeat)
        except BaseException:
            # With an id from the client, a retry of the client may have succeeded in the meantime, on this or another
            # replica: deleting would lose that request. The objects that remain let the next retry continue, or expire.
            if not may_repeat:
                await self._requests.delete(keys.status("in_queue"), keys.headers, keys.payload)
            raise

    def _inline_message(self, new: Submission, beginning: bytes, *, is_whole: bool, may_repeat: bool) -> str | None:
        """Return a message that holds the whole request; None when the request is too large for one."""
        is_created_once = new.witness is not None and new.witness.is_created_once
        if is_created_once or not is_whole or not 0 < self._inline_bytes >= len(beginning):
            return None
        message = encode_envelope(
            Envelope(
                request_id=new.request_id,
                headers=new.headers,
                content_type=new.content_type,
                payload=beginning,
                may_repeat=may_repeat,
            )
        )
        # The attributes count, too.
        return message if len(message) + attributes_size(new.attributes) <= MAX_BYTES else None

    def _check_size(self, new: Submission) -> None:
        if new.size is not None and new.size > self._max_payload_bytes:
            raise payload_too_large(self._max_payload_bytes)

    async def find(self, api_name: str, request_id: str) -> FoundRequest:
        """Return what there is of a request, with one call of the store. Raises `UnknownRequestError`."""
        found = await self._requests.find(self._keys(api_name, request_id))
        if found is None:
            message = f"id {request_id} not found"
            raise UnknownRequestError(message)
        return found

    async def look_up(self, api_name: str, request_id: str, max_result_bytes: int | None = None) -> Report:
        """Return the status of a request, and its result; see `open_result`. Raises `UnknownRequestError`."""
        found = await self.find(api_name, request_id)
        details = await self.details(api_name, request_id, found)
        return await self.open_result(api_name, request_id, details, max_result_bytes)

    async def details(self, api_name: str, request_id: str, found: FoundRequest) -> Report:
        """Return what is known of a request that was found, without its result."""
        attempts = asyncio.create_task(
            self._requests.read_attempts(ApiKeys(self._cluster_uid, api_name), request_id), name="gateway-attempts"
        )
        try:
            outline = await self.outline(api_name, request_id, found)
            return replace(outline, attempts=await attempts)
        finally:
            attempts.cancel()
            await asyncio.wait({attempts})

    async def outline(self, api_name: str, request_id: str, found: FoundRequest) -> Report:
        """Return what is known of a request that was found, without its result and its attempts.

        It costs a call for a failure, and for progress; else none.
        """
        keys = self._keys(api_name, request_id)
        failure = await self._requests.read_failure(keys) if found.status == "failed" else None
        has_progress = not found.has_ended and "progress.json" in found.times
        progress = await self._requests.read_progress(keys) if has_progress else {}
        return Report(found=found, failure=failure, progress=progress)

    async def list_requests(self, api_name: str, wanted: ListedRequests) -> RequestPage:
        """Return a page of the requests of an API, the newest first. Raises `BusyError`."""
        api = ApiKeys(self._cluster_uid, check_api_name(api_name))
        return await self._listings.page(api, wanted, partial(self.outline, api_name))

    async def open_result(
        self, api_name: str, request_id: str, report: Report, max_result_bytes: int | None = None
    ) -> Report:
        """Return a report with its result opened, if the request is completed. It can be read once.

        `max_result_bytes`: a larger result is left out; None: none is.
        """
        found = report.found
        if found.status != "completed":
            return report
        limit = float("inf") if max_result_bytes is None else max_result_bytes
        if found.result_bytes is not None and found.result_bytes > limit:
            return replace(report, left_out_bytes=found.result_bytes)
        result = await self._requests.open_result(self._keys(api_name, request_id))
        # A listing that is made while a request ends may show its last status, and not its result.
        if result is not None and result.size > limit:
            await result.close()
            return replace(report, left_out_bytes=result.size)
        return replace(report, result=result)

    async def open_payload(self, api_name: str, request_id: str) -> Payload:
        """Open what a request was submitted with.

        Raises:
            UnknownRequestError, BusyError: of `gateway.errors`.
            StoreMissingError: it is deleted already, or was never in the bucket.
        """
        keys = self._keys(api_name, request_id)
        await self.find(api_name, request_id)
        return await self._requests.open(keys.payload)

    async def read_result(self, result: Payload) -> bytes:
        """Return an opened result. Raises `BusyError`."""
        return b"".join([chunk async for chunk in self._requests.chunks(result)])

    async def cancel(self, api_name: str, request_id: str, max_result_bytes: int | None = None) -> Report:
        """Ask for the cancellation of a request, unless it has ended. Returns the status that stands then.

        Its result is opened as by `open_result`.

        The sidecar that has its message, or receives it, ends it: only so one outcome stands. It finds the request in
        an index, which is written last: what it finds was asked for.

        Raises:
            UnknownRequestError: nothing is written.
        """
        found = await self.find(api_name, request_id)
        if not found.has_ended:
            keys, api = self._keys(api_name, request_id), ApiKeys(self._cluster_uid, api_name)
            if found.cancelled_at is None:
                await self._requests.put(keys.cancel, b"", "text/plain")
            await self._requests.put(api.cancellation(request_id), b"", "text/plain")
            found = await self.find(api_name, request_id)
            if found.has_ended:  # meanwhile: nobody would take it out of the index
                await self._requests.delete(api.cancellation(request_id))
        details = await self.details(api_name, request_id, found)
        return await self.open_result(api_name, request_id, details, max_result_bytes)

    def _keys(self, api_name: str, request_id: str) -> RequestKeys:
        return RequestKeys(self._cluster_uid, check_api_name(api_name), check_request_id(request_id))

    async def _store(
        self, keys: RequestKeys, new: Submission, beginning: bytes, rest: AsyncIterator[bytes] | None
    ) -> bool:
        """Write headers and payload concurrently; return whether the payload was written, or one was there already."""
        is_created_once = new.witness is not None and new.witness.is_created_once
        is_written = True
        try:
            async with asyncio.TaskGroup() as group:
                headers = self._requests.put(keys.headers, new.headers, "application/json")
                group.create_task(headers, name="gateway-headers")
                if rest is None and is_created_once:
                    is_written = await self._requests.create(keys.payload, beginning, new.content_type)
                elif rest is None:
                    await self._requests.put(keys.payload, beginning, new.content_type)
                else:
                    stream = prepend(beginning, rest)
                    is_written = await self._requests.put_stream(keys.payload, stream, new.content_type)
        except BaseExceptionGroup as group_error:
            # The first error is the cause; it cancelled the other write.
            first = group_error.exceptions[0]
            raise first from first.__cause__
        return is_written

    async def _send(self, new: Submission, inline: str | None, *, may_repeat: bool) -> None:
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                body = inline or new.request_id
                await self._queue.send(
                    new.queue_url,
                    new.request_id,
                    body,
                    may_repeat=may_repeat,
                    attributes=new.attributes,
                    group=new.group,
                )
        except SourceGoneError as error:
            message = f"the queue of API {new.api_name} does not exist: nothing was enqueued"
            raise BusyError(message) from error
        except GroupsRefusedError as error:
            message = (
                f"the queue of API {new.api_name} takes no message groups, and DEQUEUER_FAIR_QUEUES of the gateway "
                "is true: nothing was enqueued; set it to false, or use a server that has fair queues"
            )
            raise BusyError(message) from error
        except SourceDeniedError as error:
            message = f"the queue of API {new.api_name} refuses the gateway: nothing was enqueued"
            raise BusyError(message) from error
        except (SourceUnavailableError, TimeoutError) as error:
            message = "the queue is not available: nothing was enqueued, try again"
            raise BusyError(message) from error


def _is_checked(new: Submission) -> bool:
    """Return whether the payload is known to be the one of its key: then it may replace what is stored."""
    return new.witness is not None and not new.witness.is_created_once
