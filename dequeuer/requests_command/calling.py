"""Calls the gateway for a command."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias

from dequeuer.client.client import Client
from dequeuer.client.errors import AnswerTooLargeError, RequestRefusedError
from dequeuer.client.requests import ApiRequests
from dequeuer.client.retrying import QUESTION_RETRY_LIMIT_S, RETRY_LIMIT_S
from dequeuer.commands.output import Output
from dequeuer.commands.refusals import status_of, tell_fault
from dequeuer.requests_command import exit_statuses
from dequeuer.requests_command.options import Command, Options
from dequeuer.requests_command.refused import MAX_RESULT_BYTES, tell_refusal
from dequeuer.requests_command.reporting import cancel, list_dead_letters, list_requests, redrive, show_status
from dequeuer.requests_command.results import write_result
from dequeuer.requests_command.submitting import submit
from dequeuer.requests_command.tailing import tail
from dequeuer.requests_command.waiting import wait

_Call: TypeAlias = Callable[[ApiRequests, Options, Output], Awaitable[int]]

_CALLS: Final[Mapping[Command, _Call]] = {
    "submit": submit,
    "status": show_status,
    "result": write_result,
    "wait": wait,
    "cancel": cancel,
    "tail": tail,
    "list": list_requests,
    "dlq list": list_dead_letters,
    "dlq redrive": redrive,
}
_SMALL_STATUS: Final[frozenset[Command]] = frozenset({"submit", "result"})
"""They ask for a status without a large result. A gateway that does not know `max_result_bytes` sends all."""
_PATIENT: Final[frozenset[Command]] = frozenset({"submit", "wait", "tail"})


async def run_call(options: Options, gateway_url: str, output: Output, token: str | None = None) -> int:
    """Run a command; return its exit status. `token`: of the caller."""
    call = _call(options, gateway_url, output, token)
    return await status_of(call, options.name, output, is_json=options.is_json)


async def _call(options: Options, gateway_url: str, output: Output, token: str | None) -> int:
    is_question = options.command not in _PATIENT
    client = Client(
        gateway_url,
        token=token,
        retry_limit_s=QUESTION_RETRY_LIMIT_S if is_question else RETRY_LIMIT_S,
        retry_limit_from_begin=is_question,
        max_result_bytes=MAX_RESULT_BYTES,
    )
    async with client:
        try:
            return await _CALLS[options.command](client.api(options.api), options, output)
        except RequestRefusedError as error:
            tell_refusal(error, options, output)
            return exit_statuses.REFUSED
        except AnswerTooLargeError:
            if options.command not in _SMALL_STATUS:
                raise
            tell_fault(_too_old(options), options.name, output, is_json=options.is_json)
            return exit_statuses.REFUSED


def _too_old(options: Options) -> str:
    path = f"/{options.api}/{options.ids[0] if options.ids else 'ID'}"
    return (
        f"the result has more than {MAX_RESULT_BYTES} bytes, and the gateway is too old to send a status without it: "
        f"upgrade the gateway, or read {path} with curl"
    )
