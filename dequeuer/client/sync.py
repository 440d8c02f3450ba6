"""The client for programs without asyncio: the same methods, which block until they have their results.

It is safe in scripts, in notebooks (whose thread has a running loop of its own) and in several threads at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from datetime import datetime
from types import TracebackType
from typing import Any, Self, TypeVar, Unpack

from dequeuer.client.client import Client, ClientOptions
from dequeuer.client.dead_letters import DeadLetters, Redriven
from dequeuer.client.job_calls import Kind
from dequeuer.client.loop_thread import LoopThread
from dequeuer.client.mapping import CONCURRENCY, Outcome, runner
from dequeuer.client.realtime import CallOptions, RealtimeResponse
from dequeuer.client.request_calls import RequestPage
from dequeuer.client.request_status import RequestStatus
from dequeuer.client.requests import ApiRequests
from dequeuer.client.submission import SubmitOptions
from dequeuer.client.sync_jobs import SyncApiJobs
from dequeuer.client.sync_mapping import map_in_thread

P = TypeVar("P")


class SyncClient:
    """As `Client`, and open at once: `with SyncClient("http://127.0.0.1:8888") as client:`, or `close` at the end."""

    def __init__(self, url: str | None = None, **options: Unpack[ClientOptions]) -> None:
        self._client = Client(url, **options)
        self._thread = LoopThread(self._client)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Cancel what runs in other threads, and close the connections."""
        self._thread.close()

    def api(self, name: str) -> SyncApiRequests:
        """As `Client.api`."""
        return SyncApiRequests(self._client.api(name), self._thread)

    def jobs(self, name: str, kind: Kind | None = None) -> SyncApiJobs:
        """As `Client.jobs`."""
        return SyncApiJobs(self._client.jobs(name, kind), self._thread)

    def call(
        self, api: str, path: str = "", body: bytes | Any = None, **options: Unpack[CallOptions]
    ) -> RealtimeResponse:
        """As `Client.call`."""
        return self._thread.run(self._client.call(api, path, body, **options))


@dataclass(frozen=True, slots=True)
class SyncRequest:
    """As `Request`."""

    id: str
    _api: SyncApiRequests

    def status(self, *, max_result_bytes: int | None = None) -> RequestStatus:
        """Return its status."""
        return self._api.status(self.id, max_result_bytes=max_result_bytes)

    def wait(self, timeout_s: float | None = None, *, max_result_bytes: int | None = None) -> RequestStatus:
        """Wait until it has ended."""
        return self._api.wait(self.id, timeout_s, max_result_bytes=max_result_bytes)

    def result(self, timeout_s: float | None = None) -> Any:
        """Wait until it has ended; return its result."""
        return self._api.result(self.id, timeout_s)

    def result_chunks(self) -> Generator[bytes, None, None]:
        """Wait until it has ended; yield the bytes of its result as they come, of any size."""
        return self._api.result_chunks(self.id)

    def events(self) -> Generator[RequestStatus, None, None]:
        """Yield its status each time it changes, until it has ended."""
        return self._api.events(self.id)

    def cancel(self, *, max_result_bytes: int | None = None) -> RequestStatus:
        """Ask for its cancellation."""
        return self._api.cancel(self.id, max_result_bytes=max_result_bytes)


class SyncApiRequests:
    """As `ApiRequests`."""

    def __init__(self, api: ApiRequests, thread: LoopThread) -> None:
        self._api = api
        self._thread = thread

    def submit(self, payload: bytes | Any, **options: Unpack[SubmitOptions]) -> SyncRequest:
        """As `ApiRequests.submit`."""
        return SyncRequest(self._thread.run(self._api.submit(payload, **options)).id, self)

    def run(
        self, payload: bytes | Any, timeout_s: float | None = None, **options: Unpack[SubmitOptions]
    ) -> RequestStatus:
        """As `ApiRequests.run`."""
        return self._thread.run(self._api.run(payload, timeout_s, **options))

    def map(  # noqa: PLR0913 - as of `ApiRequests.map`
        self,
        payloads: Iterable[P],
        *,
        concurrency: int = CONCURRENCY,
        ordered: bool = True,
        stop_on_error: bool = False,
        timeout_s: float | None = None,
        key_of: Callable[[P], str] | None = None,
        **options: Unpack[SubmitOptions],
    ) -> Generator[Outcome[P], None, None]:
        """As `ApiRequests.map`. The payloads are read in the thread of the caller."""
        run = runner(self._api.run, timeout_s, key_of, options)
        return map_in_thread(
            self._thread, payloads, run, concurrency=concurrency, ordered=ordered, stop_on_error=stop_on_error
        )

    def status(self, request_id: str, *, max_result_bytes: int | None = None) -> RequestStatus:
        """As `ApiRequests.status`."""
        return self._thread.run(self._api.status(request_id, max_result_bytes=max_result_bytes))

    def wait(
        self, request_id: str, timeout_s: float | None = None, *, max_result_bytes: int | None = None
    ) -> RequestStatus:
        """As `ApiRequests.wait`."""
        return self._thread.run(self._api.wait(request_id, timeout_s, max_result_bytes=max_result_bytes))

    def result(self, request_id: str, timeout_s: float | None = None) -> Any:
        """As `ApiRequests.result`."""
        return self._thread.run(self._api.result(request_id, timeout_s))

    def result_chunks(self, request_id: str) -> Generator[bytes, None, None]:
        """As `ApiRequests.result_chunks`."""
        return self._thread.iterate(self._api.result_chunks(request_id))

    def chunks_of(self, status: RequestStatus, *, tries_again: bool = True) -> Generator[bytes, None, None]:
        """As `ApiRequests.chunks_of`."""
        return self._thread.iterate(self._api.chunks_of(status, tries_again=tries_again))

    def events(self, request_id: str) -> Generator[RequestStatus, None, None]:
        """As `ApiRequests.events`."""
        return self._thread.iterate(self._api.events(request_id))

    def cancel(self, request_id: str, *, max_result_bytes: int | None = None) -> RequestStatus:
        """As `ApiRequests.cancel`."""
        return self._thread.run(self._api.cancel(request_id, max_result_bytes=max_result_bytes))

    def list(self, status: str | None = None, limit: int | None = None) -> Generator[RequestStatus, None, None]:
        """As `ApiRequests.list`."""
        return self._thread.iterate(self._api.list(status, limit))

    def page(self, *, status: str | None = None, limit: int = 20, after: str = "") -> RequestPage:
        """As `ApiRequests.page`."""
        return self._thread.run(self._api.page(status=status, limit=limit, after=after))

    def pause(self) -> datetime | None:
        """As `ApiRequests.pause`."""
        return self._thread.run(self._api.pause())

    def resume(self) -> None:
        """As `ApiRequests.resume`."""
        self._thread.run(self._api.resume())

    def dead_letters(self, limit: int = 20, priority: str | None = None) -> DeadLetters:
        """As `ApiRequests.dead_letters`."""
        return self._thread.run(self._api.dead_letters(limit, priority))

    def redrive(self, priority: str | None = None) -> Redriven:
        """As `ApiRequests.redrive`."""
        return self._thread.run(self._api.redrive(priority))
