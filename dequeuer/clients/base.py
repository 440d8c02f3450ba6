"""What the composition root asks of AWS, whichever clients are behind it."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol

from dequeuer.core.events import Observer
from dequeuer.sinks.base import Store
from dequeuer.sinks.expiry import ExpiryChange
from dequeuer.sources.sqs.errors import Translate
from dequeuer.sources.sqs.operations import SqsOperations

READ_TIMEOUT_S: Final = 10
"""For a response, besides what a long poll waits for on purpose."""


class Cloud(Protocol):
    """Queue and bucket of one account."""

    @property
    def translate(self) -> Translate:
        """What the exceptions of the queue's client mean."""

    def sqs(self, *, longest_wait_s: float) -> AbstractAsyncContextManager[SqsOperations]:
        """Return the context of a client of SQS whose answers may take `longest_wait_s` on purpose."""

    def store(self, bucket: str, observer: Observer) -> Store:
        """Open a bucket for objects; nothing is sent yet."""

    async def ensure_expiry(self, *, bucket: str, prefix: str, days: int) -> ExpiryChange:
        """Make sure of the bucket's lifecycle rule. Raises `StoreDeniedError`, `StoreUnavailableError`."""

    def observe(self, observer: Observer) -> None:
        """Tell an observer of credentials that are renewed, or cannot be."""

    async def close(self) -> None:
        """Close what `store` and `ensure_expiry` have opened."""
