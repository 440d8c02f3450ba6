"""`dequeuer result`: the result of a request, byte for byte as the container gave it."""

from __future__ import annotations

from contextlib import aclosing
from pathlib import Path

from dequeuer.client.request_calls import SMALL_RESULT_BYTES
from dequeuer.client.request_status import RequestStatus
from dequeuer.client.requests import ApiRequests
from dequeuer.commands.output import Output
from dequeuer.commands.results import print_chunks, save_chunks
from dequeuer.requests_command import exit_statuses
from dequeuer.requests_command.documents import missing_result, status_line
from dequeuer.requests_command.options import Options
from dequeuer.requests_command.refused import known_with_result
from dequeuer.requests_command.texts import end_line


async def write_result(api: ApiRequests, options: Options, output: Output) -> int:
    """Write the result to standard output or to a file; return the exit status."""
    [request_id] = options.ids
    status = await api.status(request_id, max_result_bytes=SMALL_RESULT_BYTES)
    if not status.has_ended:
        wait = f"`dequeuer wait {options.api} {request_id}` waits for its end"
        output.note(f"{options.name}: request {request_id} is {status.state}: {wait}")
        return exit_statuses.REFUSED
    return await show_end(api, status, options, output)


async def show_end(api: ApiRequests, ended: RequestStatus, options: Options, output: Output) -> int:
    """Write what a request has ended with; return its exit status. `ended`: with its result only if that is small."""
    if options.is_json:
        status = await known_with_result(api, ended, options, output)
        if status is None:
            return exit_statuses.REFUSED
        output.json_line(status_line(status))
        return exit_statuses.of_status(status)
    if ended.state != "completed":
        output.note(f"{options.name}: request {end_line(ended)}")
        return exit_statuses.of_status(ended)
    if ended.result_json is None and ended.result_bytes is None:
        output.note(f"{options.name}: request {ended.id}: {missing_result(ended)}")
        return exit_statuses.REFUSED

    if options.output is None:
        again = f"`dequeuer result {options.api} {ended.id} --output FILE` tries again"
        async with aclosing(api.chunks_of(ended)) as chunks:
            await print_chunks(chunks, output, cut_off=f"{options.name}: the result is cut off here; {again}")
    else:
        # The file is written anew: repeats of the client would be multiplied by those.
        await save_chunks(lambda: aclosing(api.chunks_of(ended, tries_again=False)), Path(options.output), api.retries)
    return exit_statuses.OK
