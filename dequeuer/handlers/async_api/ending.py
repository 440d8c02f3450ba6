"""The final status of a request, written so that two deliveries of it never leave both `completed` and `failed`.

A queue can deliver a message twice, and one delivery can succeed while the other fails. The store has no transaction
over the two statuses, so each delivery writes first and then looks what the other has written: a failure looks before
and after it writes `failed`; a success writes its result and then looks for `failed`.

Each look costs a request to the store, so the success of a first delivery with short work does not look. To make this
safe, a redelivery that fails waits first, until such a delivery has ended. The work is short when it ends within
`MAX_SHORT_WORK_S` of the earliest time at which the queue can have delivered the message: the response to a receive can
be on its way for seconds, and a message can be prefetched. A message that may be one of several for its request is
treated as a redelivery.
"""

from __future__ import annotations

import asyncio

from dequeuer.core import clock
from dequeuer.core.errors import clip
from dequeuer.core.message import Done, Message, Outcome, Retry
from dequeuer.formats.failure import RequestFailure
from dequeuer.handlers.async_api.request_store import PriorOutcome, RequestStore
from dequeuer.handlers.backoff import backoff_s

MAX_SHORT_WORK_S = 1.0
"""A delivery that may be older than this looks for a failure before it completes, seconds."""
MIN_REDELIVERY_S = 2.0
"""A redelivery fails at the earliest this long after its start, seconds: `MAX_SHORT_WORK_S`, and one second for slow
responses of the store."""


class RequestEnding:
    """Ends one delivery of a request. Created when the delivery begins.

    Args:
        message: the message that was delivered.
        request: its request.
        asked_at: loop time when the queue was asked for the message.

    Methods raise `StoreUnavailableError`, `StoreDeniedError` and `LeaseLostError`.
    """

    def __init__(self, message: Message, request: RequestStore, asked_at: float) -> None:
        self._message = message
        self._request = request
        self._is_repeated = message.receive_count > 1 or request.may_be_duplicate
        self._time = asyncio.get_running_loop().time
        self._began = self._time()
        self._asked_at = asked_at

    async def completed(self) -> Outcome:
        """End the request with its result, which is durable already."""
        may_have_failed = self._is_repeated or self._age_s() > MAX_SHORT_WORK_S
        if may_have_failed and await self._request.prior_outcome() == "failed":
            # The other delivery may be about to see the result and delete its `failed`. The next delivery decides.
            after_s = backoff_s(self._message.receive_count)
            return Retry(after_s=after_s, reason="another delivery of the request has failed at the same time")
        await self._request.mark_completed()
        return Done(state="completed", after_ack=self._request.delete_input)

    async def failed(self, failure: RequestFailure) -> Outcome:
        """End the request with a failure, unless another delivery has ended it."""
        if self._is_repeated:
            await asyncio.sleep(max(0.0, MIN_REDELIVERY_S - self._lasted_s()))
        if prior := await self._request.prior_outcome():
            return await self.already_ended(prior)
        await self._request.mark_failed(failure, self._message.receive_count)
        if await self._request.has_result():
            # It was written between the look and the write. The success is kept: a client may have read it.
            await self._request.delete_failed()
            return await self.already_ended("result")
        return Done(state="failed", after_ack=self._request.delete_headers, reason=clip(failure.error))

    async def already_ended(self, prior: PriorOutcome) -> Outcome:
        """Finish what an interrupted delivery has left undone, without calling the container again."""
        if prior == "failed":
            return Done(state="already_finished", after_ack=self._request.delete_headers)
        if prior == "result":
            await self._request.mark_completed()
        return Done(state="already_finished", after_ack=self._request.delete_input)

    def _lasted_s(self) -> float:
        return self._time() - self._began

    def _age_s(self) -> float:
        """Return an upper limit of the seconds since the queue delivered the message.

        It was delivered after it was asked for, and after it was sent.
        """
        age_s = self._time() - self._asked_at
        if age_s > MAX_SHORT_WORK_S and self._message.sent_at is not None:
            # Without this, each message that a long poll has waited for would cost a request.
            age_s = min(age_s, max(self._lasted_s(), clock.wall() - self._message.sent_at))
        return age_s
