"""Requests of an upload are repeated in place: the container cannot be asked for its response again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

from dequeuer.core.errors import StoreUnavailableError
from dequeuer.core.retry import Backoff, RetryPolicy

T = TypeVar("T")

UPLOAD_RETRIES = RetryPolicy(backoff=Backoff(initial_s=0.2, max_s=15.0), max_attempts=8, max_duration_s=120.0)


async def retry_upload_request(attempt: Callable[[], Awaitable[T]]) -> T:
    """Repeat while the store is unavailable, as `UPLOAD_RETRIES` says; its last error is raised as it is."""
    return await UPLOAD_RETRIES.call(StoreUnavailableError, attempt)
