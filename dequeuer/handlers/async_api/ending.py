"""How one delivery concludes its request, so that two deliveries of it do not end it both ways.

A queue may hand out a message twice, and one run can succeed while the other fails. The store has no
transaction over `completed` and `failed`, so each side writes first and looks afterwards: a failure looks
before and after it writes `failed`, a success writes its result and then looks for `failed`. Looking costs
a request. Short work of a first delivery saves it: whoever fails as a redelivery waits until short work of
the delivery before it has ended. Short is counted from the moment the queue may have handed the message out: the
answer to a receive can be on its way for seconds, and a message can be prefetched.
A message that may not be the only one of its request counts as a redelivery.
"""

from __future__ import annotations

import asyncio

from dequeuer.core import clock
from dequeuer.core.errors import clip
from dequeuer.core.message import Done, Message, Outcome, Retry
from dequeuer.handlers.async_api.request_store import Known, RequestStore
from dequeuer.handlers.backoff import backoff_s

SHORT_S = 1.0
"""A delivery that may be older looks for a failure before it completes."""
OVERLAP_S = 2.0
"""How long a redelivery is at work, at least, before it fails for good: `SHORT_S`, and a second for slow answers."""


class RequestEnding:
    """The end of one delivery. Made when the delivery begins.

    Args:
        message: what was delivered.
        request: what it is about.
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
        """Conclude with the result, which is durable already."""
        may_have_failed = self._is_repeated or self._age_s() > SHORT_S
        if may_have_failed and await self._request.known() == "failed":
            # Whoever failed may be about to see the result and take that back: somebody else decides, later.
            after_s = backoff_s(self._message.receive_count)
            return Retry(after_s=after_s, reason="another delivery has failed meanwhile")
        await self._request.mark_completed()
        return Done(state="completed", after_ack=self._request.delete_input)

    async def failed(self, error: str, status_code: int | None) -> Outcome:
        """Conclude with a failure, unless the request has succeeded otherwise."""
        if self._is_repeated:
            await asyncio.sleep(max(0.0, OVERLAP_S - self._lasted_s()))
        if known := await self._request.known():
            return await self.found(known)
        await self._request.mark_failed(error, status_code, self._message.receive_count)
        if await self._request.has_result():
            # It came between the look and the write. A success stands: somebody may have read it.
            await self._request.delete_failed()
            return await self.found("result")
        return Done(state="failed", after_ack=self._request.delete_headers, reason=clip(error))

    async def found(self, known: Known) -> Outcome:
        """Do what a delivery that stopped half-way left undone; the container is not called again."""
        if known == "failed":
            return Done(state="already_finished", after_ack=self._request.delete_headers)
        if known == "result":
            await self._request.mark_completed()
        return Done(state="already_finished", after_ack=self._request.delete_input)

    def _lasted_s(self) -> float:
        return self._time() - self._began

    def _age_s(self) -> float:
        """Return how long ago the queue handed the message out at most: neither unasked nor before it was sent."""
        age_s = self._time() - self._asked_at
        if age_s > SHORT_S and self._message.sent_at is not None:
            # Without this each message that a long poll has waited for would cost a request.
            age_s = min(age_s, max(self._lasted_s(), clock.wall() - self._message.sent_at))
        return age_s
