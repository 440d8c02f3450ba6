"""The batch API: a message is a batch (a JSON array for the container), or announces that the job is complete."""

from __future__ import annotations

import asyncio

from dequeuer.core import clock
from dequeuer.core.drain import Drain
from dequeuer.core.errors import ContainerTimeoutError, ContainerUnavailableError, InvalidResponseError
from dequeuer.core.events import BatchEnded, Observer, Posted, ResponseStarted
from dequeuer.core.message import Done, Fence, Message, Outcome, Reject, Retry
from dequeuer.formats.json_text import is_json_array
from dequeuer.handlers.backoff import backoff_s
from dequeuer.handlers.base import Target
from dequeuer.handlers.batch_api.completion import Completion, job_headers
from dequeuer.handlers.response_policy import Failure, ResponsePolicy

COMPLETE_ATTRIBUTE = "job_complete"


def is_completion(message: Message) -> bool:
    """Tell whether a message announces the end of the job."""
    return message.attributes.get(COMPLETE_ATTRIBUTE) == "true"


class BatchHandler:
    """Sends batches to the container; passes completion messages to `Completion`."""

    def __init__(  # noqa: PLR0913 - one parameter for each collaborator
        self,
        *,
        job_id: str,
        target: Target,
        completion: Completion,
        policy: ResponsePolicy,
        drain: Drain,
        observer: Observer,
    ) -> None:
        self._headers = job_headers(job_id)
        self._target = target
        self._completion = completion
        self._policy = policy
        self._drain = drain
        self._observer = observer

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
        retry_after_s = backoff_s(message.receive_count)
        if not is_json_array(body):
            return Reject(after_s=retry_after_s, reason="the message is not a JSON array", poison=True)
        loop = asyncio.get_running_loop()
        started = loop.time()
        self._observer(Posted(queued_s=clock.wall() - message.sent_at if message.sent_at else None))
        try:
            async with self._target.post("/", self._headers, body) as response:
                self._observer(
                    ResponseStarted(kind="batch", status_code=response.status, duration_s=loop.time() - started)
                )
                match self._policy.verdict(response, message.receive_count):
                    case Retry() as retry:
                        return retry
                    case Failure(reason=reason):
                        return self._failed(started, retry_after_s, reason)
                await response.discard()
        except ContainerUnavailableError as error:
            released = self._policy.retry_unavailable(error, message.receive_count, is_draining=self._drain.requested)
            return released or self._failed(started, retry_after_s, str(error))
        except (ContainerTimeoutError, InvalidResponseError) as error:
            return self._failed(started, retry_after_s, str(error))
        self._observer(BatchEnded(succeeded=True, duration_s=loop.time() - started))
        return Done(state="succeeded")

    def _failed(self, started: float, retry_after_s: float, reason: str) -> Reject:
        duration_s = asyncio.get_running_loop().time() - started
        self._observer(BatchEnded(succeeded=False, duration_s=duration_s))
        return Reject(after_s=retry_after_s, reason=reason)
