"""Retries of the requests of an upload: the container cannot send its response again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from dequeuer.core.errors import StoreUnavailableError
from dequeuer.core.retry import Backoff, RetryPolicy

T = TypeVar("T")

UPLOAD_RETRIES = RetryPolicy(backoff=Backoff(initial_s=0.2, max_s=15.0), max_attempts=8, max_duration_s=120.0)


async def retry_upload_request(attempt: Callable[[], Awaitable[T]]) -> T:
    """Retry while the store is unavailable, by `UPLOAD_RETRIES`; raise the last error unchanged."""
    return await UPLOAD_RETRIES.call(StoreUnavailableError, attempt)
