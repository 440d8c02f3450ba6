"""`dequeuer submit`: submits payloads, one or many, and perhaps waits for their results."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from dequeuer.client.errors import (
    AnswerTooLargeError,
    GatewayBusyError,
    GatewayLostError,
    GatewayUnavailableError,
    InvalidAnswerError,
    RequestRefusedError,
)
from dequeuer.client.request_calls import SMALL_RESULT_BYTES
from dequeuer.client.request_status import RequestStatus
from dequeuer.client.requests import ApiRequests
from dequeuer.client.submission import SubmitOptions, make_submission
from dequeuer.commands.output import Output
from dequeuer.concurrency.as_completed import as_completed
from dequeuer.core.errors import ConfigurationError
from dequeuer.core.plurals import counted
from dequeuer.requests_command import exit_statuses
from dequeuer.requests_command.documents import outcome_line
from dequeuer.requests_command.options import Options, SubmitArguments
from dequeuer.requests_command.payloads import Payload, check_files, payloads
from dequeuer.requests_command.refused import status_with_result, too_large
from dequeuer.requests_command.results import show_end
from dequeuer.requests_command.waiting import time_limit


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What became of a payload.

    Attributes:
        payload: that was to be submitted.
        request_id: "" when it was not submitted.
        status: of its request, when it was waited for.
        fault: why it was not submitted, or why its end is not known.
    """

    payload: Payload
    request_id: str = ""
    status: RequestStatus | None = None
    fault: str = ""


async def submit(api: ApiRequests, options: Options, output: Output) -> int:
    """Submit what is to be submitted; return the exit status."""
    if options.submission.data is None:
        check_files(options.submission.files)
    if options.submission.is_single:
        return await _submit_one(api, options, output)
    return await _Many(api, options, output).submit()


async def _submit_one(api: ApiRequests, options: Options, output: Output) -> int:
    common = _common_options(options.submission)
    async with aclosing(payloads(options.submission)) as found:
        payload = await anext(found)
    look = f"look at `dequeuer list {options.api}` before you submit it again"
    try:
        request = await api.submit(payload.data, **_options_of(payload, common))
    except GatewayBusyError:
        output.note(f"{options.name}: the request was not accepted; submit it again later")
        raise
    except (GatewayLostError, asyncio.CancelledError):
        output.note(f"{options.name}: the gateway may have accepted the request, or not: {look}")
        raise
    if not options.submission.waits:
        if options.is_json:
            output.json({"id": request.id})
        else:
            output.line(request.id)
        return exit_statuses.OK
    output.note(f"{options.name}: submitted request {request.id}")  # whoever is interrupted knows it nevertheless
    async with time_limit(options, output, [request.id]) as limit, limit.cut():
        status = await api.wait(request.id, max_result_bytes=SMALL_RESULT_BYTES)
    return exit_statuses.WAITED_TOO_LONG if limit.is_over else await show_end(api, status, options, output)


class _Many:
    """Submits many payloads. One that is refused ends nothing; a gateway that cannot be used ends all."""

    def __init__(self, api: ApiRequests, options: Options, output: Output) -> None:
        self._api = api
        self._options = options
        self._arguments = options.submission
        self._common = _common_options(options.submission)
        self._output = output
        self._submitted = 0

    async def submit(self) -> int:
        """Submit all; print each in its order; return the exit status."""
        found: set[int] = set()
        try:
            async with (
                time_limit(self._options, self._output, []) as limit,
                aclosing(payloads(self._arguments)) as items,
                aclosing(limit.each(self._outcomes(items))) as outcomes,
            ):
                async for outcome in outcomes:
                    found.add(self._show(await self._with_result(outcome)))
        except (GatewayUnavailableError, InvalidAnswerError, asyncio.CancelledError):
            if self._submitted:
                self._tell_rest()
            raise
        if limit.is_over:
            self._tell_rest()
            return exit_statuses.WAITED_TOO_LONG
        return exit_statuses.of_all(found)

    def _outcomes(self, items: AsyncGenerator[Payload, None]) -> AsyncGenerator[_Outcome, None]:
        # Reads on: also after a result that comes late it must be known whether it was the last one.
        return as_completed(items, self._submit, limit=self._arguments.concurrency, ordered=True, reads_on=True)

    async def _submit(self, payload: Payload) -> _Outcome:
        if payload.fault:
            return _Outcome(payload=payload, fault=payload.fault)
        try:
            request = await self._api.submit(payload.data, **_options_of(payload, self._common))
        except RequestRefusedError as error:
            return _Outcome(payload=payload, fault=f"is refused: {_reasons(error)}")
        self._submitted += 1
        if not self._arguments.waits:
            return _Outcome(payload=payload, request_id=request.id)
        return await self._ended(payload, request.id, self._api.wait(request.id, max_result_bytes=SMALL_RESULT_BYTES))

    async def _with_result(self, outcome: _Outcome) -> _Outcome:
        """Return an outcome with its result, if that is large: only one of them is in memory."""
        if outcome.status is None:
            return outcome

        def tell(text: str) -> None:
            self._show(replace(outcome, fault=f"has no line: {text}"))

        call = status_with_result(self._api, outcome.status, self._options, tell)
        return await self._ended(outcome.payload, outcome.request_id, call)

    async def _ended(self, payload: Payload, request_id: str, call: Awaitable[RequestStatus]) -> _Outcome:
        """Return the outcome that a call tells of a request. One that is refused ends nothing."""
        try:
            return _Outcome(payload=payload, request_id=request_id, status=await call)
        except RequestRefusedError as error:
            fault = f"is request {request_id}, of which no end is told: {_reasons(error)}"
        except AnswerTooLargeError:
            fault = f"has no line: {too_large(request_id, self._options)}"
        return _Outcome(payload=payload, request_id=request_id, fault=fault)

    def _show(self, outcome: _Outcome) -> int:
        """Print what became of a payload; return the exit status that it would have alone."""
        fields: dict[str, Any] = {"index": outcome.payload.index}
        if outcome.request_id:
            fields["id"] = outcome.request_id
        if outcome.fault:
            self._output.note(f"{self._options.name}: {outcome.payload.name} {outcome.fault}")
            if self._options.is_json or self._arguments.waits:
                self._output.json({**fields, "error": {"message": outcome.fault}})
            return exit_statuses.REFUSED
        if outcome.status is not None:
            self._output.json_line(outcome_line(fields, outcome.status))
            return exit_statuses.of_status(outcome.status)
        if self._options.is_json:
            self._output.json(fields)
        else:
            self._output.line(outcome.request_id)
        return exit_statuses.OK

    def _tell_rest(self) -> None:
        self._output.note(
            f"{self._options.name}: {counted(self._submitted, 'request')} accepted by now, perhaps up to "
            f"{self._arguments.concurrency} more: `dequeuer list {self._options.api}` shows them"
        )


def _reasons(error: RequestRefusedError) -> str:
    return "; ".join(fault.message for fault in error.faults)


def _common_options(arguments: SubmitArguments) -> SubmitOptions:
    """Return the options that all payloads have. Raises `ConfigurationError` when the client cannot send them."""
    options = SubmitOptions(headers=dict(arguments.headers))
    if arguments.key is not None:
        options["key"] = arguments.key
    if arguments.priority is not None:
        options["priority"] = arguments.priority
    if arguments.cancel_after_s is not None:
        options["cancel_after_s"] = arguments.cancel_after_s
    if arguments.deadline_s is not None:
        options["deadline"] = datetime.fromtimestamp(arguments.deadline_s, UTC)
    try:
        make_submission(b"", **options)
    except ValueError as error:
        raise ConfigurationError([str(error)]) from None
    return options


def _options_of(payload: Payload, common: SubmitOptions) -> SubmitOptions:
    return common | {"content_type": payload.content_type}
