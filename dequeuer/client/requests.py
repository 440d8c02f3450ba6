"""The requests of one async API at a gateway: submits them, and waits for what becomes of them."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable
from contextlib import aclosing
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, TypeVar, Unpack

from dequeuer.client.dead_letters import DeadLetters, Redriven, dead_letters_of, redriven_of
from dequeuer.client.fields import moment_of
from dequeuer.client.following import follow
from dequeuer.client.mapping import CONCURRENCY, Outcome, map_payloads, runner
from dequeuer.client.outcomes import RequestNotEndedError, result_json_of, result_of
from dequeuer.client.request_calls import PAGE_REQUESTS, SMALL_RESULT_BYTES, RequestCalls, RequestPage, Submitted
from dequeuer.client.request_status import RequestStatus
from dequeuer.client.retrying import CALL_BACKOFF, Retries
from dequeuer.client.submission import Submission, SubmitOptions, make_submission
from dequeuer.client.wait_limit import WaitLimit, limited

P = TypeVar("P")


@dataclass(frozen=True, slots=True)
class Request:
    """A request that was submitted. Its methods are those of its API, for this request."""

    id: str
    _api: ApiRequests

    async def status(self, *, max_result_bytes: int | None = None) -> RequestStatus:
        """Return its status."""
        return await self._api.status(self.id, max_result_bytes=max_result_bytes)

    async def wait(self, timeout_s: float | None = None, *, max_result_bytes: int | None = None) -> RequestStatus:
        """Wait until it has ended."""
        return await self._api.wait(self.id, timeout_s, max_result_bytes=max_result_bytes)

    async def result(self, timeout_s: float | None = None) -> Any:
        """Wait until it has ended; return its result."""
        return await self._api.result(self.id, timeout_s)

    def result_chunks(self) -> AsyncGenerator[bytes, None]:
        """Wait until it has ended; yield the bytes of its result as they come, of any size."""
        return self._api.result_chunks(self.id)

    def events(self) -> AsyncGenerator[RequestStatus, None]:
        """Yield its status each time it changes, until it has ended."""
        return self._api.events(self.id)

    async def cancel(self, *, max_result_bytes: int | None = None) -> RequestStatus:
        """Ask for its cancellation."""
        return await self._api.cancel(self.id, max_result_bytes=max_result_bytes)


class ApiRequests:
    """Every method raises the errors of `client.errors`, and `ValueError` for what is no id.

    Calls are made again while the gateway cannot be used, as `client.retrying` says.

    Args:
        calls: about its requests, each made once.

    Attributes:
        retries: of the client.
    """

    def __init__(self, calls: RequestCalls, retries: Retries) -> None:
        self._calls = calls
        self.retries = retries

    async def submit(self, payload: bytes | Any, **options: Unpack[SubmitOptions]) -> Request:
        """Submit a payload: bytes as they are, any other value as JSON. Options: `SubmitOptions`."""
        return Request((await self._submit(make_submission(payload, **options))).id, self)

    async def run(
        self, payload: bytes | Any, timeout_s: float | None = None, **options: Unpack[SubmitOptions]
    ) -> RequestStatus:
        """Submit a payload, and wait until its request has ended; in one call, if it ends soon.

        Raises:
            RequestNotEndedError: it has not ended in this time, seconds.
        """
        submission = make_submission(payload, **options)
        async with limited(timeout_s) as limit:
            # Without a key its id must be known early: nothing else could find the request.
            submitted = await self._submit(submission, limit.slice_s() if submission.has_key else 0)
            limit.latest = submitted.status
            if submitted.status is not None and submitted.status.has_ended:
                return submitted.status
            return await self._wait(submitted.id, limit)

    def map(  # noqa: PLR0913 - each of them is left out mostly
        self,
        payloads: Iterable[P] | AsyncIterable[P],
        *,
        concurrency: int = CONCURRENCY,
        ordered: bool = True,
        stop_on_error: bool = False,
        timeout_s: float | None = None,
        key_of: Callable[[P], str] | None = None,
        **options: Unpack[SubmitOptions],
    ) -> AsyncGenerator[Outcome[P], None]:
        """Run many payloads, some at a time; yield what becomes of each. What was submitted goes on when it is closed.

        Args:
            payloads: as of `submit`. The next one is asked for only when it can be submitted.
            concurrency: payloads that were asked for and whose outcomes were not yielded, at most.
            ordered: whether outcomes come in the order of the payloads; else as they are there.
            stop_on_error: whether the first error is raised; else it is one of the outcomes.
            timeout_s: of each, as of `run`.
            key_of: returns the idempotency key of a payload: one that was submitted before is not submitted again.
            options: as of `submit`, for all payloads; without a key.

        Raises:
            GatewayUnavailableError: the gateway cannot be used for longer than calls are made again.
        """
        run = runner(self.run, timeout_s, key_of, options)
        return map_payloads(payloads, run, concurrency=concurrency, ordered=ordered, stop_on_error=stop_on_error)

    async def _submit(self, submission: Submission, wait_s: int = 0) -> Submitted:
        call = self.retries.call if submission.has_key else self.retries.call_once
        return await call(self._calls.submit, submission, wait_s)

    async def status(self, request_id: str, *, max_result_bytes: int | None = None) -> RequestStatus:
        """Return the status of a request, with its result.

        `max_result_bytes`: a larger result is left out, and `result_bytes` is its size; None: each is sent.
        """
        return await self.retries.call(self._calls.status, request_id, max_result_bytes=max_result_bytes)

    async def wait(
        self, request_id: str, timeout_s: float | None = None, *, max_result_bytes: int | None = None
    ) -> RequestStatus:
        """Wait until a request has ended; return its status.

        Args:
            request_id: of the request.
            timeout_s: None: as long as it takes.
            max_result_bytes: as of `status`.

        Raises:
            RequestNotEndedError: it has not ended in this time, seconds.
        """
        async with limited(timeout_s) as limit:
            return await self._wait(request_id, limit, max_result_bytes)

    async def _wait(self, request_id: str, limit: WaitLimit, max_result_bytes: int | None = None) -> RequestStatus:
        loop = asyncio.get_running_loop()
        early = 0
        while True:
            began, slice_s = loop.time(), limit.slice_s()
            status = limit.latest = await self.retries.call(self._calls.status, request_id, slice_s, max_result_bytes)
            if status.has_ended:
                return status
            if not limit.left_s():
                raise RequestNotEndedError(status, limit.timeout_s)
            # A gateway that drains answers early, and another one may do so, too.
            if loop.time() - began < max(1, slice_s):
                await asyncio.sleep(min(CALL_BACKOFF.pause_s(early), limit.left_s()))
                early += 1
            else:
                early = 0

    async def result(self, request_id: str, timeout_s: float | None = None) -> Any:
        """Wait until a request has ended; return its result, a value of JSON.

        Raises:
            RequestFailedError: it has failed.
            RequestNotEndedError: it has not ended in this time, seconds.
        """
        return result_of(await self.wait(request_id, timeout_s))

    async def result_chunks(self, request_id: str) -> AsyncGenerator[bytes, None]:
        """Wait until a request has ended; yield the bytes of its result as they come, of any size.

        Raises:
            RequestFailedError: it has failed.
            GatewayLostError: the result was cut off, also after its last piece: begin anew.
        """
        status = await self.wait(request_id, max_result_bytes=SMALL_RESULT_BYTES)
        async with aclosing(self.chunks_of(status)) as chunks:
            async for chunk in chunks:
                yield chunk

    async def chunks_of(self, status: RequestStatus, *, tries_again: bool = True) -> AsyncGenerator[bytes, None]:
        """Yield the bytes of the result of a request that has ended, as `result_chunks`.

        Args:
            status: as the gateway told it. It is asked for anew only when neither the result is in it nor its size, as
                in lists.
            tries_again: while the gateway cannot be used and nothing of the result came. False: for a caller that
                begins anew by itself.

        Raises:
            ValueError: it has not ended.
        """
        if not status.has_ended:
            raise ValueError(f"request {status.id} is {status.state}; result_chunks waits until it has ended")
        if status.state == "completed" and status.result_json is None and status.result_bytes is None:
            ask = partial(self._calls.status, status.id, max_result_bytes=SMALL_RESULT_BYTES)
            status = await (self.retries.call(ask) if tries_again else ask())
        if status.state != "completed" or status.result_bytes is None:
            yield result_json_of(status)
            return
        begin = partial(self._begin_result, status.id, status.result_bytes)
        first, rest = await (self.retries.call(begin) if tries_again else begin())
        async with aclosing(rest):
            yield first
            async for chunk in rest:
                yield chunk

    async def _begin_result(self, request_id: str, size: int) -> tuple[bytes, AsyncGenerator[bytes, None]]:
        """Return the first piece of a result, before which nothing is lost when it is asked for again, and the rest."""
        chunks = self._calls.result_chunks(request_id, size)
        return await anext(chunks, b""), chunks

    async def events(self, request_id: str) -> AsyncGenerator[RequestStatus, None]:
        """Yield the status of a request each time it changes, until it has ended. Lost connections are made again.

        Results above 64 KiB are not in it: `status` has them, or `result_chunks`. Line breaks between the values of a
        smaller one are spaces in it.
        """
        async with aclosing(follow(self._calls, request_id, self.retries)) as statuses:
            async for status in statuses:
                yield status

    async def cancel(self, request_id: str, *, max_result_bytes: int | None = None) -> RequestStatus:
        """Ask for the cancellation of a request; return the status that stands. One that has ended stays as it is.

        `max_result_bytes`: as of `status`.
        """
        return await self.retries.call(self._calls.cancel, request_id, max_result_bytes)

    async def list(self, status: str | None = None, limit: int | None = None) -> AsyncGenerator[RequestStatus, None]:
        """Yield the requests of the API, the newest first, without results and attempts.

        Args:
            status: only those that are `in_queue`, `in_progress`, `completed` or `failed`; None: all.
            limit: how many at most; None: all that the bucket still has.
        """
        left = math.inf if limit is None else limit
        after = ""
        while left > 0:
            page = await self.page(status=status, limit=int(min(left, PAGE_REQUESTS)), after=after)
            for one in page.requests:
                yield one
            left -= len(page.requests)
            # A server that leads to the same page again would be asked for ever.
            if not page.following or page.following == after:
                return
            after = page.following

    async def page(self, *, status: str | None = None, limit: int = 20, after: str = "") -> RequestPage:
        """Return a page of the newest requests, which may be empty although another one follows.

        Args:
            status: as of `list`.
            limit: how many at most, up to 100.
            after: `following` of the page before; "": the first page.
        """
        return await self.retries.call(self._calls.page, limit=limit, state=status, after=after)

    async def pause(self) -> datetime | None:
        """Pause the API: its sidecars receive nothing more. Return since when it is paused."""
        return moment_of((await self.retries.call(self._calls.change, "pause")).get("paused"))

    async def resume(self) -> None:
        """End the pause of the API."""
        await self.retries.call(self._calls.change, "resume")

    async def dead_letters(self, limit: int = 20, priority: str | None = None) -> DeadLetters:
        """Look at the dead letters of the API, up to 100. They are hidden meanwhile, and have one more receive.

        `priority`: of one of its other queues.
        """
        query = {"limit": str(limit)} | _priority(priority)
        return dead_letters_of(await self.retries.call(self._calls.dead_letters, "GET", query))

    async def redrive(self, priority: str | None = None) -> Redriven:
        """Send dead letters back to the queue of the API, at most 1,000: call again while some are `left`."""
        query = {"action": "redrive"} | _priority(priority)
        return redriven_of(await self.retries.call(self._calls.dead_letters, "PUT", query))


def _priority(priority: str | None) -> dict[str, str]:
    return {} if priority is None else {"priority": priority}
