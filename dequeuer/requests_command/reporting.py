"""`dequeuer status`, `cancel`, `list` and `dlq`: a question, an answer."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from contextlib import aclosing

from dequeuer.client.request_status import RequestStatus
from dequeuer.client.requests import ApiRequests
from dequeuer.commands.output import Output
from dequeuer.core.plurals import counted
from dequeuer.requests_command import exit_statuses
from dequeuer.requests_command.arguments import MAX_LETTERS
from dequeuer.requests_command.documents import printed_bytes, status_line
from dequeuer.requests_command.options import Options
from dequeuer.requests_command.refused import known
from dequeuer.requests_command.texts import end_line, letter_lines, list_lines, request_lines
from dequeuer.terminal.text import clip_cells


async def show_status(api: ApiRequests, options: Options, output: Output) -> int:
    """Print all that is known of a request, or a table of several."""
    result = exit_statuses.OK
    rows: list[RequestStatus] = []
    for request_id in options.ids:
        asked = api.status(request_id, max_result_bytes=printed_bytes(options))
        status = await known(asked, request_id, options, output)
        if status is None:
            result = exit_statuses.REFUSED
        elif options.is_json:
            output.json_line(status_line(status))
        elif len(options.ids) == 1:
            for line in request_lines(status):
                output.line(line)  # as long as it is: the reason of a failure may be long
        else:
            rows.append(status)
    if len(options.ids) > 1 and not options.is_json:
        _print(list_lines(rows), output)
    return result


async def cancel(api: ApiRequests, options: Options, output: Output) -> int:
    """Ask for the cancellation of requests."""
    result = exit_statuses.OK
    for request_id in options.ids:
        asked = api.cancel(request_id, max_result_bytes=printed_bytes(options))
        status = await known(asked, request_id, options, output)
        if status is None:
            result = exit_statuses.REFUSED
        elif options.is_json:
            output.json_line(status_line(status))
        else:
            output.line(end_line(status))
    return result


async def list_requests(api: ApiRequests, options: Options, output: Output) -> int:
    """Print the newest requests."""
    async with aclosing(api.list(status=options.state, limit=options.limit)) as listed:
        if options.is_json:
            async for status in listed:
                output.json(status.fields)
        else:
            _print(list_lines([status async for status in listed]), output)
    return exit_statuses.OK


async def list_dead_letters(api: ApiRequests, options: Options, output: Output) -> int:
    """Print dead letters of the API."""
    found = await api.dead_letters(options.limit, options.priority)
    if options.is_json:
        output.json(found.fields)
        return exit_statuses.OK
    _print(letter_lines(found.letters), output)
    if found.messages > len(found.letters):
        what = f"{counted(found.messages, 'message')} in {found.queue}"
        output.note(f"{options.name}: {what}, {len(found.letters):,} shown: --limit shows up to {MAX_LETTERS}")
    return exit_statuses.OK


async def redrive(api: ApiRequests, options: Options, output: Output) -> int:
    """Send dead letters back until none of this API are left."""
    moved = 0
    while True:
        step = await api.redrive(options.priority)
        moved += step.moved
        # Those of other APIs in the same queue stay, and are counted in `left`.
        if step.left == 0 or step.moved == 0:
            break
        output.note(f"{options.name}: {counted(moved, 'message')} sent back, about {step.left:,} left")
    if options.is_json:
        output.json({"moved": moved, "left": step.left})
    else:
        output.line(f"{counted(moved, 'message')} sent back, {step.left:,} left")
    return exit_statuses.OK


def _print(lines: Iterable[str], output: Output) -> None:
    """Print the lines of a table; in a terminal each stays one line."""
    columns = shutil.get_terminal_size().columns if output.is_live else None
    for line in lines:
        output.line(line if columns is None else clip_cells(line, columns))
