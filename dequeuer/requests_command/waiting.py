"""`dequeuer wait`: waits for the ends of requests; and the limit of every wait."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass
from typing import Final

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
from dequeuer.requests_command.refused import known, with_result
from dequeuer.requests_command.texts import end_line

MAX_WAITS: Final = 50
"""At the gateway at a time: each holds a connection, and the gateway lets only so many wait."""


@dataclass(slots=True)
class Limit:
    """Whether `--timeout` is over, and the exit status then.

    What is between `hold` and `resume` is not cut by it: whoever cut a result that comes would lose which one it is.
    """

    timeout: asyncio.Timeout
    is_over: bool = False
    status: int = exit_statuses.WAITED_TOO_LONG
    ends_at: float | None = None
    """While it is held: when it would be over, by the clock of the loop."""

    def hold(self) -> None:
        """Let the time go by."""
        self.ends_at = self.timeout.when()
        self.timeout.reschedule(None)

    async def resume(self) -> None:
        """Cut what comes now, if the time has gone by."""
        self.timeout.reschedule(self.ends_at)
        # Whoever finds its next result there already never waits, and would not be cut.
        await asyncio.sleep(0)


@asynccontextmanager
async def time_limit(options: Options, output: Output, waited: Sequence[str]) -> AsyncIterator[Limit]:
    """Cut what is inside when `--timeout` is over, and say that the requests go on. So it is when it is cancelled.

    `waited`: the ids of requests; it may become shorter.
    """
    limit = Limit(asyncio.timeout(options.timeout_s))
    try:
        async with limit.timeout:
            yield limit
    except TimeoutError:
        if not limit.timeout.expired():
            raise
        limit.is_over = True
        output.note(f"{options.name}: waited for {options.timeout_s} s{_go_on(options.api, waited)}")
    except asyncio.CancelledError:
        if waited:
            output.note(f"{options.name}: stopped waiting{_go_on(options.api, waited)}")
        raise


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
        aclosing(as_completed(each(ids), end_of, limit=MAX_WAITS)) as ends,
    ):
        async for request_id, ended in ends:
            limit.hold()
            status = ended
            try:
                if ended is not None and options.is_json:
                    status = await with_result(api, ended, options, output)
                if status is not None and options.is_json:
                    output.json_line(status_line(status))
                elif status is not None:
                    output.line(end_line(status))
            finally:  # also what could not be shown is said by now
                waited.remove(request_id)
            found.append(exit_statuses.REFUSED if status is None else exit_statuses.of_status(status))
            if not waited:
                break
            await limit.resume()
    if limit.is_over:
        return limit.status
    return found[0] if len(found) == 1 else exit_statuses.of_all(found)
