"""`dequeuer wait`: waits for the ends of requests; and the limit of every wait."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from typing import Final, TypeVar

from dequeuer.client.request_calls import SMALL_RESULT_BYTES
from dequeuer.client.request_status import RequestStatus
from dequeuer.client.requests import ApiRequests
from dequeuer.commands.output import Output
from dequeuer.concurrency.as_completed import as_completed
from dequeuer.concurrency.in_order import each
from dequeuer.core.plurals import counted
from dequeuer.requests_command import exit_statuses
from dequeuer.requests_command.documents import status_line
from dequeuer.requests_command.options import Options
from dequeuer.requests_command.refused import known, known_with_result
from dequeuer.requests_command.texts import end_line

T = TypeVar("T")

MAX_WAITS: Final = 50
"""At the gateway at a time: each holds a connection, and the gateway lets only so many wait."""


class Limit:
    """The time of `--timeout`, from now on. `timeout_s`: None: there is no limit."""

    def __init__(self, timeout_s: float | None) -> None:
        self._time = asyncio.get_running_loop().time
        self._ends_at = math.inf if timeout_s is None else self._time() + timeout_s
        self.is_over = False
        """Whether it has cut something, or refused it."""

    @asynccontextmanager
    async def cut(self) -> AsyncIterator[None]:
        """Cut what is inside when the time is over."""
        try:
            async with asyncio.timeout_at(None if self._ends_at == math.inf else self._ends_at) as timeout:
                yield
        except TimeoutError:
            if not timeout.expired():
                raise
            self.is_over = True

    async def each(self, stream: AsyncGenerator[T, None]) -> AsyncGenerator[T, None]:
        """Yield what comes in time. Close it: it closes the stream.

        What is done with an item is not cut: whoever cut a result that comes would lose which one it is.
        """
        async with aclosing(stream):
            while True:
                is_late = self._time() >= self._ends_at
                try:
                    async with self.cut():
                        item = await anext(stream)
                except StopAsyncIteration:  # after a late item: it was the last one, and nothing was cut
                    return
                # One that is there already came without a wait that could be cut.
                self.is_over |= is_late
                if self.is_over:
                    return
                yield item


@asynccontextmanager
async def time_limit(options: Options, output: Output, waited: Sequence[str]) -> AsyncIterator[Limit]:
    """Yield the limit of a wait. When it is over, or the wait is cancelled, say that the requests go on.

    `waited`: the ids of requests; it may become shorter.
    """
    limit = Limit(options.timeout_s)
    try:
        yield limit
    except asyncio.CancelledError:
        if waited:
            output.note(f"{options.name}: stopped waiting{_go_on(options.api, waited)}")
        raise
    if limit.is_over:
        output.note(f"{options.name}: waited for {options.timeout_s} s{_go_on(options.api, waited)}")


def _go_on(api: str, waited: Sequence[str]) -> str:
    if not waited:
        return ""
    goes_on, some = f"{counted(len(waited), 'request')} go on", "ID ..."
    if len(waited) == 1:
        goes_on, some = f"Request {waited[0]} goes on", waited[0]
    return f". {goes_on}: `dequeuer wait {api} {some}` waits again, `dequeuer cancel {api} {some}` cancels"


async def wait(api: ApiRequests, options: Options, output: Output) -> int:
    """Wait for the ends of requests, and print each as it comes; return the exit status."""
    ids = list(dict.fromkeys(options.ids))
    waited = list(ids)
    found = []
    kept = SMALL_RESULT_BYTES if options.is_json else 0

    async def end_of(request_id: str) -> tuple[str, RequestStatus | None]:
        return request_id, await known(api.wait(request_id, max_result_bytes=kept), request_id, options, output)

    async with (
        time_limit(options, output, waited) as limit,
        aclosing(limit.each(as_completed(each(ids), end_of, limit=MAX_WAITS))) as ends,
    ):
        async for request_id, ended in ends:
            status = ended
            try:
                if ended is not None and options.is_json:
                    status = await known_with_result(api, ended, options, output)
                if status is not None and options.is_json:
                    output.json_line(status_line(status))
                elif status is not None:
                    output.line(end_line(status))
            finally:  # also what could not be shown is said by now
                waited.remove(request_id)
            found.append(exit_statuses.REFUSED if status is None else exit_statuses.of_status(status))
    if limit.is_over:
        return exit_statuses.WAITED_TOO_LONG
    return found[0] if len(found) == 1 else exit_statuses.of_all(found)
