"""The batch API: a message is a batch (a JSON array for the container), or announces that the job is complete."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from dequeuer.core import clock
from dequeuer.core.drain import Drain
from dequeuer.core.errors import (
    ContainerTimeoutError,
    ContainerUnavailableError,
    InvalidInputError,
    InvalidResponseError,
    SourceDeniedError,
    SourceGoneError,
    StoreDeniedError,
    StoreUnavailableError,
)
from dequeuer.core.events import BatchEnded, Observer, Posted, ResponseStarted
from dequeuer.core.message import Done, Fence, Message, Outcome, Reject, Retry
from dequeuer.formats.json_text import is_json_array
from dequeuer.handlers.backoff import MAX_BACKOFF_S, backoff_s
from dequeuer.handlers.base import Target
from dequeuer.handlers.batch_api.completion import Completion, job_headers
from dequeuer.handlers.response_policy import Failure, ResponsePolicy

if TYPE_CHECKING:  # a job without results does not pay for them
    from dequeuer.handlers.batch_api.answer import Answer
    from dequeuer.handlers.batch_api.results import BatchResults, JobResults

COMPLETE_ATTRIBUTE = "job_complete"


def is_completion(message: Message) -> bool:
    """Tell whether a message announces the end of the job."""
    return message.attributes.get(COMPLETE_ATTRIBUTE) == "true"


class BatchHandler:
    """Sends batches to the container; passes completion messages to `Completion`.

    Args:
        job_id: the job.
        target: the container.
        completion: of the job.
        policy: what a response means.
        drain: whether the process stops.
        observer: gets `BatchEnded` for each attempt that failed, and for each batch of the job that succeeded. Items
            that are tried again are no batch of the job, so their success is none, but a failed attempt at them is one.
        results: keeps the results of the items; None: the body of a response is ignored.
    """

    def __init__(  # noqa: PLR0913 - one parameter for each collaborator
        self,
        *,
        job_id: str,
        target: Target,
        completion: Completion,
        policy: ResponsePolicy,
        drain: Drain,
        observer: Observer,
        results: JobResults | None = None,
    ) -> None:
        self._headers = job_headers(job_id)
        self._target = target
        self._completion = completion
        self._policy = policy
        self._drain = drain
        self._observer = observer
        self._results = results

    def needs_slot(self, message: Message) -> bool:
        """Return False for a completion message. It mostly waits: with one slot it would block the rest of the job."""
        return not is_completion(message)

    def ref(self, _message: Message) -> str:
        """Return "": a batch has no name of its own; the id of its message is logged anyway."""
        return ""

    async def handle(self, message: Message, fence: Fence) -> Outcome:
        """Handle one batch, or the end of the job."""
        if is_completion(message):
            return await self._completion.handle(message, fence)
        # Half of a surrogate pair cannot be encoded as UTF-8. It must not raise here: such a message is poison.
        body = message.body.encode(errors="surrogatepass")
        if not is_json_array(body):
            return _poison(message, "the message is not a JSON array")
        if self._results is None:
            return await self._attempt(message, body, None, fence)
        try:
            results = await self._results.begin(message, body, fence)
        except InvalidInputError as error:
            return _poison(message, str(error))
        has_response = False
        started = asyncio.get_running_loop().time()
        try:
            if (message.receive_count > 1 or message.may_repeat) and await results.has_ended():
                return Done(state="already_finished")
            # From here on the store is used only after the container has responded.
            has_response = True
            return await self._attempt(message, body, results, fence)
        except StoreUnavailableError as error:
            return Retry(after_s=backoff_s(message.receive_count), reason=f"the results are not stored: {error}")
        except (SourceDeniedError, SourceGoneError) as error:
            reason = f"the items that are tried again could not be sent to the queue: {error}"
            return Retry(after_s=backoff_s(message.receive_count), reason=reason)
        except StoreDeniedError as error:
            reason = f"the store refuses the results: {error}"
            if message.receive_count >= self._policy.max_attempts:
                return self._failed(message, started, reason, "store")
            return Retry(after_s=MAX_BACKOFF_S if has_response else backoff_s(message.receive_count), reason=reason)

    async def _attempt(self, message: Message, body: bytes, results: BatchResults | None, fence: Fence) -> Outcome:
        loop = asyncio.get_running_loop()
        started = loop.time()
        self._observer(Posted(queued_s=clock.wall() - message.sent_at if message.sent_at else None))
        answer: Answer | None = None
        try:
            async with self._target.post("/", self._headers, body) as response:
                self._observer(
                    ResponseStarted(kind="batch", status_code=response.status, duration_s=loop.time() - started)
                )
                match self._policy.verdict(response, message.receive_count):
                    case Retry() as retry:
                        return retry
                    case Failure(reason=reason):
                        return self._failed(message, started, reason, "container_status")
                if results is None:
                    await response.discard()
                else:
                    answer = await results.read(response)
        except ContainerUnavailableError as error:
            released = self._policy.retry_unavailable(error, message.receive_count, is_draining=self._drain.requested)
            return released or self._failed(message, started, str(error), "unreachable")
        except ContainerTimeoutError as error:
            return self._failed(message, started, str(error), "timeout")
        except InvalidResponseError as error:
            return self._failed(message, started, str(error), "invalid_result")
        duration_s = loop.time() - started
        if results is not None and answer is not None:
            fence.release_slot()
            await results.finish(answer)
        if results is None or not results.is_retry:
            self._observer(BatchEnded(succeeded=True, duration_s=duration_s))
        return Done(state="succeeded")

    def _failed(self, message: Message, started: float, reason: str, code: str) -> Reject:
        duration_s = asyncio.get_running_loop().time() - started
        self._observer(BatchEnded(succeeded=False, duration_s=duration_s))
        return Reject(after_s=backoff_s(message.receive_count), reason=reason, code=code)


def _poison(message: Message, reason: str) -> Reject:
    return Reject(after_s=backoff_s(message.receive_count), reason=reason, poison=True, code="invalid_message")
