"""What a gateway refused, and that it is away, in words and as an exit status."""

from __future__ import annotations

from collections.abc import Awaitable, Iterable

from dequeuer.client.errors import (
    GatewayAbsentError,
    GatewayUnavailableError,
    InvalidAnswerError,
    RefusedFault,
    RequestRefusedError,
)
from dequeuer.commands import exit_statuses
from dequeuer.commands.output import Output
from dequeuer.core.plurals import counted


async def status_of(
    call: Awaitable[int], name: str, output: Output, *, is_json: bool, what: str = "the request"
) -> int:
    """Return the exit status of a call of the gateway; tell its error.

    Args:
        call: may raise the errors of `client.errors`.
        name: of the command.
        output: where the error is told.
        is_json: whether programs read it.
        what: the gateway may refuse.
    """
    try:
        return await call
    except RequestRefusedError as error:
        _tell_refusal(error, name, output, is_json=is_json, what=what)
        return exit_statuses.REFUSED
    except InvalidAnswerError as error:
        tell_fault(str(error), name, output, is_json=is_json)
        return exit_statuses.REFUSED
    except GatewayAbsentError as error:
        tell_fault(f"{error}; is it the address of the gateway?", name, output, is_json=is_json)
        return exit_statuses.GATEWAY_UNAVAILABLE
    except GatewayUnavailableError as error:
        tell_fault(str(error), name, output, is_json=is_json)
        return exit_statuses.GATEWAY_UNAVAILABLE


def _tell_refusal(error: RequestRefusedError, name: str, output: Output, *, is_json: bool, what: str) -> None:
    """Tell each fault of a refusal in a line."""
    output.note(f"{name}: the gateway refused {what}: {counted(len(error.faults), 'fault')}")
    for fault in error.faults:
        output.note(f"  {fault.message}")
    if is_json:
        print_faults(error.faults, output)


def tell_fault(text: str, name: str, output: Output, *, is_json: bool) -> None:
    """Tell a fault, of the command `name`, that is none of the gateway's own."""
    output.note(f"{name}: {text}")
    if is_json:
        print_faults([RefusedFault("error", text)], output)


def print_faults(faults: Iterable[RefusedFault], output: Output) -> None:
    """Print faults for programs."""
    output.json({"faults": [{"kind": fault.kind, "message": fault.message} for fault in faults]})
