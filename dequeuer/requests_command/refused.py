"""What the gateway refuses; of several requests the others are shown nevertheless."""

from __future__ import annotations

from collections.abc import Awaitable

from dequeuer.client.errors import RequestRefusedError
from dequeuer.client.request_status import RequestStatus
from dequeuer.commands.output import Output
from dequeuer.requests_command.options import Options


async def known(call: Awaitable[RequestStatus], options: Options, output: Output) -> RequestStatus | None:
    """Return what a call for one request returns; None when it is refused, which is said."""
    try:
        return await call
    except RequestRefusedError as error:
        tell_refusal(error, options, output)
        return None


def tell_refusal(error: RequestRefusedError, options: Options, output: Output) -> None:
    """Say what the gateway refuses: it has one reason for a request."""
    hint = f"; `dequeuer list {options.api}` shows those that are there" if _is_about_id(error) else ""
    output.note(f"{options.name}: {'; '.join(fault.message for fault in error.faults)}{hint}")
    if options.is_json:
        output.json({"faults": [{"kind": fault.kind, "message": fault.message} for fault in error.faults]})


def _is_about_id(error: RequestRefusedError) -> bool:
    # In Cortex's words, which have no code: `id ... not found`.
    return error.status == 404 and error.faults[0].message.startswith("id ")
