"""Messages whose handling ends in a bug: it costs one attempt, and after the last attempt it ends the message."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable

from dequeuer.core.errors import LeaseLostError, SourceGoneError
from dequeuer.core.message import Fence, Message, Outcome, Retry
from dequeuer.handlers.backoff import backoff_s
from dequeuer.handlers.base import Handler

_log = logging.getLogger(__name__)

FinalFailure = Callable[[Message, Fence, str], Awaitable[Outcome]]
"""Ends a message without the code that has failed. Takes message, fence and reason; an exception is another bug."""


class BugBoundary:
    """`Handler` around another one: a bug costs a message one attempt.

    A bug at receive number `max_attempts` or later ends the message, also when it is the first one.
    """

    def __init__(self, handler: Handler, fail: FinalFailure, max_attempts: int) -> None:
        self._handler = handler
        self._fail = fail
        self._max_attempts = max_attempts
        self.needs_slot = handler.needs_slot
        self.ref = handler.ref

    async def handle(self, message: Message, fence: Fence) -> Outcome:
        """Handle a message."""
        try:
            return await self._handler.handle(message, fence)
        except (LeaseLostError, SourceGoneError):
            raise  # no bug: the worker ends the message
        except Exception as error:  # noqa: BLE001 - any other exception is a bug: see above
            reason = f"a bug: {type(error).__name__}"
            if message.receive_count < self._max_attempts:
                _log.exception("a bug: the message is released")
                return Retry(after_s=backoff_s(message.receive_count), reason=reason)
            _log.exception("a bug: the message has used up its attempts")
        return await self._fail(message, fence, reason)
