"""`dequeuer tail`: the changes of a request to its end, or of the newest requests of an API until Ctrl-C."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import UTC, datetime
from typing import Final

from dequeuer.client.request_status import RequestStatus
from dequeuer.client.requests import ApiRequests
from dequeuer.commands.output import Output
from dequeuer.core import clock
from dequeuer.requests_command import exit_statuses
from dequeuer.requests_command.documents import status_line
from dequeuer.requests_command.options import Options
from dequeuer.requests_command.texts import end_line
from dequeuer.requests_command.waiting import time_limit

INTERVAL_S: Final = 2.0
"""Between two looks at an API: each costs the gateway a listing of S3."""
FIRST_SHOWN: Final = 10
"""Of the requests that are there already, so many are shown."""


async def tail(api: ApiRequests, options: Options, output: Output) -> int:
    """Print each change; return the exit status."""
    result = exit_statuses.OK
    changes = api.events(options.ids[0]) if options.ids else _changes(api, options, output)
    async with time_limit(options, output, options.ids) as limit, aclosing(limit.each(changes)) as statuses:
        async for status in statuses:
            if options.is_json:
                output.json_line(status_line(status))
            else:
                output.line(f"{datetime.fromtimestamp(clock.wall(), UTC):%H:%M:%SZ}  {end_line(status)}")
            if options.ids and status.has_ended:
                result = exit_statuses.of_status(status)
    return exit_statuses.WAITED_TOO_LONG if limit.is_over else result


async def _changes(api: ApiRequests, options: Options, output: Output) -> AsyncGenerator[RequestStatus, None]:
    """Yield the newest requests, then each that is new or has changed, oldest first."""
    known: dict[str, RequestStatus] | None = None
    while True:
        async with aclosing(api.list(limit=options.limit)) as listed:
            page = [status async for status in listed]
        if known is None:
            shown = page[:FIRST_SHOWN]
        else:
            shown = [status for status in page if known.get(status.id) != status]
            if len(page) == options.limit and known and known.keys().isdisjoint(status.id for status in page):
                output.note(
                    f"{options.name}: more than {options.limit} requests are new since the last look: "
                    "some are not shown; give a larger --limit"
                )
        for status in reversed(shown):
            yield status
        known = {status.id: status for status in page}
        await asyncio.sleep(INTERVAL_S)
