"""The async API: a message names a request in the store; its result goes back to the store. Decides the outcome."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from dequeuer.core import clock
from dequeuer.core.drain import Drain
from dequeuer.core.errors import (
    ContainerUnavailableError,
    InvalidInputError,
    StoreDeniedError,
    StoreMissingError,
    StoreUnavailableError,
    clip,
)
from dequeuer.core.events import Observer
from dequeuer.core.message import WEBHOOK_ATTRIBUTE, Done, Fence, Message, Outcome, Reject, Retry
from dequeuer.formats.envelope import decode_envelope, is_envelope, request_id_of
from dequeuer.formats.failure import RequestFailure
from dequeuer.formats.request_id import LAST_MS, MADE_ID
from dequeuer.handlers.async_api.attempt_records import AttemptRecords
from dequeuer.handlers.async_api.call import ContainerCalls, RequestFailedError, check_wanted
from dequeuer.handlers.async_api.cancellation import MAX_FRESH_S, CancellationWatch
from dequeuer.handlers.async_api.ending import RequestEnding
from dequeuer.handlers.async_api.inline import InlineRequest
from dequeuer.handlers.async_api.request_store import RequestStore, delete_best_effort
from dequeuer.handlers.async_api.result import ResultWriter
from dequeuer.handlers.backoff import MAX_BACKOFF_S, backoff_s
from dequeuer.handlers.base import Target
from dequeuer.handlers.response_policy import ResponsePolicy
from dequeuer.sinks.base import Deletions, Store
from dequeuer.sinks.layout import ApiKeys, RequestKeys

if TYPE_CHECKING:  # a sidecar whose container does not report does not pay for it
    from dequeuer.handlers.async_api.progress import ProgressReports

MAX_UPLOAD_S = 10.0
"""A message that was sent this much later than its id was made may have been sent before, seconds. Less than a message
spends in queues before it can be moved to a dead-letter queue and back; an upload that takes longer costs one look."""


class AsyncHandler:
    """Reads the request, has the container called, stores the final status.

    Args:
        cluster_uid: the prefix of all keys.
        api_name: of the API.
        store: has the requests.
        deletions: deletes objects of `store`.
        target, results, observer, in_progress_after_s, progress: see `ContainerCalls`.
        policy: what a response means, or the lack of one.
        drain: no request fails because its container ends then.
        cancellations: what clients want to be cancelled; None: nobody looks.
        attempts: records attempts that are tried again; None: nobody does.
        on_webhook: is called for each request that asks for a webhook; None: somebody else sends it.
    """

    def __init__(  # noqa: PLR0913 - one parameter for each collaborator
        self,
        *,
        cluster_uid: str,
        api_name: str,
        store: Store,
        deletions: Deletions,
        target: Target,
        results: ResultWriter,
        policy: ResponsePolicy,
        drain: Drain,
        observer: Observer,
        in_progress_after_s: float = 1.0,
        progress: ProgressReports | None = None,
        cancellations: CancellationWatch | None = None,
        attempts: AttemptRecords | None = None,
        on_webhook: Callable[[], None] | None = None,
    ) -> None:
        self._cluster_uid = cluster_uid
        self._api_name = api_name
        self._store = store
        self._deletions = deletions
        self._policy = policy
        self._drain = drain
        self._cancellations = cancellations
        self._attempts = attempts
        self._on_webhook = on_webhook
        self._calls = ContainerCalls(
            target=target,
            results=results,
            policy=policy,
            observer=observer,
            in_progress_after_s=in_progress_after_s,
            progress=progress,
            cancellations=cancellations,
        )

    def needs_slot(self, _message: Message) -> bool:
        """Return True: every request occupies the container."""
        return True

    def ref(self, message: Message) -> str:
        """Return the request id; "" when the message has no valid one."""
        return request_id_of(message.body)

    async def handle(self, message: Message, fence: Fence) -> Outcome:
        """Handle one request."""
        if self._on_webhook is not None and WEBHOOK_ATTRIBUTE in message.attributes:
            self._on_webhook()
        try:
            request = self._request_of(message, fence)
        except InvalidInputError as error:
            return Reject(after_s=backoff_s(message.receive_count), reason=str(error), poison=True)
        ending = RequestEnding(message, request, fence.asked_at)
        try:
            return await self._attempt(message, request, ending, fence)
        except StoreUnavailableError as error:
            return Retry(after_s=backoff_s(message.receive_count), reason=f"the store is unavailable: {error}")
        except StoreDeniedError as error:
            return await self._store_denied(message, request, ending, error)

    def _request_of(self, message: Message, fence: Fence) -> RequestStore:
        """Return the request that a message names. Raises `InvalidInputError` when it names none."""
        request_id = self.ref(message)
        if request_id and request_id == message.body:
            keys = RequestKeys(self._cluster_uid, self._api_name, request_id)
            may_be_duplicate = message.may_repeat or _may_have_returned(message, request_id)
            return RequestStore(self._store, self._deletions, keys, fence, may_be_duplicate=may_be_duplicate)
        if not is_envelope(message.body):
            raise InvalidInputError(f"the message is not a request id: {clip(message.body)}")
        envelope = decode_envelope(message.body)
        keys = RequestKeys(self._cluster_uid, self._api_name, envelope.request_id)
        may_be_duplicate = envelope.may_repeat or message.may_repeat or _may_have_returned(message, envelope.request_id)
        return InlineRequest(self._store, self._deletions, keys, fence, envelope, may_be_duplicate=may_be_duplicate)

    async def _attempt(self, message: Message, request: RequestStore, ending: RequestEnding, fence: Fence) -> Outcome:
        """Make one attempt, and decide what a failure means."""
        began_s = clock.wall()
        try:
            outcome = await self._process(message, request, ending, fence)
        except RequestFailedError as error:
            outcome = await ending.failed(error.failure)
        except ContainerUnavailableError as error:
            retry = self._policy.retry_unavailable(error, message.receive_count, is_draining=self._drain.requested)
            outcome = retry or await ending.failed(RequestFailure(error=str(error), code="unreachable"))
        if isinstance(outcome, Retry) and outcome.container_unavailable and self._attempts is not None:
            await self._attempts.write(message, request.request_id, outcome, began_s, fence)
        return self._forgetting(outcome, request.request_id)

    async def _store_denied(
        self, message: Message, request: RequestStore, ending: RequestEnding, error: StoreDeniedError
    ) -> Outcome:
        """Release a request whose input cannot be read, or whose large result cannot be written.

        On the last attempt `status/failed` is written instead. When that is refused, too, the message stays in the
        queue.
        """
        reason = f"the store refuses the request: {error}"
        if message.receive_count >= self._policy.max_attempts:
            try:
                return await ending.failed(RequestFailure(error=reason, code="store_refused"))
            except (StoreDeniedError, StoreUnavailableError):
                pass
        return Retry(after_s=MAX_BACKOFF_S if request.has_response else backoff_s(message.receive_count), reason=reason)

    async def _process(self, message: Message, request: RequestStore, ending: RequestEnding, fence: Fence) -> Outcome:
        """Read the input, call the container, end the request. A request that has ended before is not sent again."""
        if (message.receive_count > 1 or request.may_be_duplicate) and (prior := await request.prior_outcome()):
            return await ending.already_ended(prior)
        await self._check_wanted(message, request)
        try:
            submitted = await request.read()
            # The headers are deleted after a failure: a message without them can be a duplicate of a finished request.
            if submitted.headers is None and (prior := await request.prior_outcome()):
                return await ending.already_ended(prior)
            return await self._calls.call(message, request, submitted, fence) or await ending.completed()
        except StoreMissingError:
            if prior := await request.prior_outcome():
                return await ending.already_ended(prior)
            raise RequestFailedError("the payload is missing", "missing_payload") from None
        except InvalidInputError as error:
            raise RequestFailedError(str(error), "invalid_input") from error

    async def _check_wanted(self, message: Message, request: RequestStore) -> None:
        """Raise `RequestFailedError` when nobody wants the request any more, before its payload is read in vain."""
        if self._cancellations is not None and _has_waited(message):
            await self._cancellations.look_if_stale()
        cancelled = (request.request_id,) if request.is_cancelled else self._cancelled
        if message.attributes or request.request_id in cancelled:
            check_wanted(message, request.request_id, cancelled)

    @property
    def _cancelled(self) -> Collection[str]:
        return () if self._cancellations is None else self._cancellations.cancelled

    def _forgetting(self, outcome: Outcome, request_id: str) -> Outcome:
        """Return the outcome; a cancellation that is known is deleted after it, or it would be listed for days."""
        if not isinstance(outcome, Done) or request_id not in self._cancelled:
            return outcome
        after_ack, key = outcome.after_ack, ApiKeys(self._cluster_uid, self._api_name).cancellation(request_id)

        async def then() -> None:
            if after_ack is not None:
                await after_ack()
            await delete_best_effort(self._deletions, (key,))

        return replace(outcome, after_ack=then)


def _may_have_returned(message: Message, request_id: str) -> bool:
    """Tell whether a message may come from a dead-letter queue.

    SQS sends such a message anew: nothing but its time shows that it is not the first of its request, which may have
    ended. Only ids that the gateway has made tell when they were made.
    """
    made = MADE_ID.match(request_id)
    if made is None or message.sent_at is None:
        return False
    return message.sent_at - (LAST_MS - int(made[1] + made[2], 16)) / 1000 > MAX_UPLOAD_S


def _has_waited(message: Message) -> bool:
    """Tell whether there was time for a client to cancel the request before its work begins."""
    if message.receive_count > 1 or message.may_repeat:
        return True
    return message.sent_at is not None and clock.wall() - message.sent_at > MAX_FRESH_S
