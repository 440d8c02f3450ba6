"""Stores how far running requests are, as their containers report it. Information for clients: it decides nothing.

Each attempt has an address with a secret of its own, so that no other process of the pod can report for it by chance,
and a report that arrives after the attempt is refused.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from dequeuer.core import clock
from dequeuer.core.errors import LeaseLostError, StoreDeniedError, StoreUnavailableError
from dequeuer.formats.progress import encode_progress, parse_report
from dequeuer.handlers.async_api.request_store import RequestStore

MIN_INTERVAL_S: Final = 2.0
"""Between two writes for a request, seconds. Of the reports between them the last one is written."""
SECRET_BYTES: Final = 16


class ProgressReports:
    """The running attempts that may report.

    Args:
        address: returns the URL of an attempt from its secret.
    """

    def __init__(self, address: Callable[[str], str]) -> None:
        self._address = address
        self._attempts: dict[str, _Attempt] = {}

    @contextmanager
    def accepted(self, request: RequestStore) -> Iterator[str]:
        """Accept reports for a request within the context; yields the URL to which the container sends them."""
        secret = secrets.token_urlsafe(SECRET_BYTES)
        attempt = self._attempts[secret] = _Attempt(request)
        try:
            yield self._address(secret)
        finally:
            del self._attempts[secret]
            attempt.end()

    def report(self, secret: str, body: bytes) -> bool:
        """Take a report. Returns whether its attempt is running. Raises `InvalidInputError`."""
        attempt = self._attempts.get(secret)
        if attempt is None:
            return False
        attempt.report(encode_progress(parse_report(body), clock.wall()))
        return True


class _Attempt:
    """Writes the last report of one attempt, one write at a time."""

    __slots__ = ("_latest", "_request", "_writing")

    def __init__(self, request: RequestStore) -> None:
        self._request = request
        self._latest: bytes | None = None
        self._writing: asyncio.Task[None] | None = None

    def report(self, content: bytes) -> None:
        """Write the report, now or when `MIN_INTERVAL_S` is over."""
        self._latest = content
        if self._writing is None:
            self._writing = asyncio.get_running_loop().create_task(self._write(), name="progress")

    async def _write(self) -> None:
        try:
            while (content := self._latest) is not None:
                self._latest = None
                # The store has reported the failure; the next report is written.
                with suppress(StoreUnavailableError, StoreDeniedError):
                    await self._request.put_progress(content)
                await asyncio.sleep(MIN_INTERVAL_S)
        except LeaseLostError:
            return
        finally:
            self._writing = None

    def end(self) -> None:
        """Write nothing more: the outcome follows."""
        if self._writing is not None:
            self._writing.cancel()
