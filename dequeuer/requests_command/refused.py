"""What the gateway refuses, and what is too large; of several requests the others are shown nevertheless."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from dequeuer.client.errors import AnswerTooLargeError, ClientError, RequestRefusedError
from dequeuer.client.request_status import RequestStatus
from dequeuer.client.requests import ApiRequests
from dequeuer.commands.output import Output
from dequeuer.commands.refusals import print_faults, tell_fault
from dequeuer.requests_command.options import Options

MAX_RESULT_BYTES: Final = 256 << 20
"""Of a result that is printed within a line of JSON, and so is in memory as a whole. `result` has those of any size."""


async def known(
    call: Awaitable[RequestStatus], request_id: str, options: Options, output: Output
) -> RequestStatus | None:
    """Return what a call for one request returns; None when it is refused, or its result too large, which is said."""
    try:
        return await call
    except RequestRefusedError as error:
        tell_refusal(error, options, output)
    except AnswerTooLargeError:
        tell_fault(too_large(request_id, options), options.name, output, is_json=options.is_json)
    return None


async def known_with_result(
    api: ApiRequests, status: RequestStatus, options: Options, output: Output
) -> RequestStatus | None:
    """Return what `status_with_result` returns; None as of `known`."""

    def tell(text: str) -> None:
        output.note(f"{options.name}: {text}")

    return await known(status_with_result(api, status, options, tell), status.id, options, output)


async def status_with_result(
    api: ApiRequests, status: RequestStatus, options: Options, tell: Callable[[str], None]
) -> RequestStatus:
    """Return the status of a request that has ended with its result, which is asked for if it was left out.

    Hazard: whoever waits for many requests calls this for one at a time, or has all results in memory.

    Args:
        api: of the request.
        status: perhaps with the size of its result alone.
        options: of the command.
        tell: is called when the gateway is lost or the command is cancelled meanwhile: nothing else says that the
            request has completed.

    Raises:
        RequestRefusedError, AnswerTooLargeError: of this request alone; they are for the caller to tell.
    """
    if status.result_bytes is None:
        return status
    try:
        return await api.status(status.id)
    except (RequestRefusedError, AnswerTooLargeError):
        raise
    except (ClientError, asyncio.CancelledError):
        where = _where(status.id, options)
        tell(f"request {status.id} has completed, but its result did not come: {where}")
        raise


def too_large(request_id: str, options: Options) -> str:
    """Return what is said of a request whose result is too large."""
    return f"the result of request {request_id} has more than {MAX_RESULT_BYTES} bytes: {_where(request_id, options)}"


def _where(request_id: str, options: Options) -> str:
    return f"`dequeuer result {options.api} {request_id}` has it"


def tell_refusal(error: RequestRefusedError, options: Options, output: Output) -> None:
    """Say what the gateway refuses: it has one reason for a request."""
    hint = f"; `dequeuer list {options.api}` shows those that are there" if _is_about_id(error) else ""
    output.note(f"{options.name}: {'; '.join(fault.message for fault in error.faults)}{hint}")
    if options.is_json:
        print_faults(error.faults, output)


def _is_about_id(error: RequestRefusedError) -> bool:
    # In Cortex's words, which have no code: `id ... not found`.
    return error.status == 404 and error.faults[0].message.startswith("id ")
