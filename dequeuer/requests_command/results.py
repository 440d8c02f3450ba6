"""`dequeuer result`: the result of a request, byte for byte as the container gave it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from dequeuer.client.request_status import RequestStatus
from dequeuer.client.requests import ApiRequests
from dequeuer.commands.output import Output, RawOutput
from dequeuer.commands.replacing import replacing
from dequeuer.requests_command import exit_statuses
from dequeuer.requests_command.documents import missing_result, status_line
from dequeuer.requests_command.options import Options
from dequeuer.requests_command.texts import end_line
from dequeuer.terminal.text import visible_json


async def write_result(api: ApiRequests, options: Options, output: Output) -> int:
    """Write the result to standard output or to a file; return the exit status."""
    [request_id] = options.ids
    status = await api.status(request_id)
    if not status.has_ended:
        wait = f"`dequeuer wait {options.api} {request_id}` waits for its end"
        output.note(f"{options.name}: request {request_id} is {status.state}: {wait}")
        return exit_statuses.REFUSED
    return await show_end(status, options, output)


async def show_end(status: RequestStatus, options: Options, output: Output) -> int:
    """Write what a request has ended with; return its exit status."""
    if options.is_json:
        output.json_line(status_line(status))
        return exit_statuses.of_status(status)
    if status.state != "completed":
        output.note(f"{options.name}: request {end_line(status)}")
        return exit_statuses.of_status(status)
    if status.result_json is None:
        output.note(f"{options.name}: request {status.id}: {missing_result(status)}")
        return exit_statuses.REFUSED
    if options.output is None:
        await _print(status.result_json, output)
    else:
        await asyncio.to_thread(_save, status.result_json, Path(options.output))
    return exit_statuses.OK


async def _print(result: bytes, output: Output) -> None:
    out = RawOutput(output.stream)
    if out.is_terminal:
        await out.write(f"{visible_json(result.decode(errors='replace'))}\n".encode())
    else:
        await out.write(result)


def _save(result: bytes, path: Path) -> None:
    with replacing(path) as file:
        file.write(result)
