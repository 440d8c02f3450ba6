"""The responses of the job routes: Cortex's form on its routes, problem+json (RFC 9457) on ours."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, TypeAlias

import structlog
from aiohttp import web

from dequeuer.core.errors import DequeuerError, clip
from dequeuer.formats.go_json import encode
from dequeuer.gateway import errors as gateway_errors
from dequeuer.jobs.errors import (
    FOREIGN,
    ApiNotDeployedError,
    Fault,
    InvalidSubmissionError,
    JobEndedError,
    JobRequestError,
    JobsUnavailableError,
    NoOutputError,
    UnknownJobError,
)
from dequeuer.jobs.spec import InvalidSpecError

ErrorResponse: TypeAlias = Callable[[int, list[Fault], bool], web.Response]
"""Makes a response of a status, the faults, and whether all of them are told."""

_PROBLEM_STATUS: dict[type[JobRequestError], int] = {
    ApiNotDeployedError: 404,
    UnknownJobError: 404,
    JobEndedError: 409,
    NoOutputError: 409,
}


def json_text(fields: Any) -> web.Response:
    """Return a response in JSON as Cortex writes it: without a line break at its end."""
    return web.Response(body=encode(fields).encode(), headers={"Content-Type": "application/json"})


def cortex_error(status: int, faults: list[Fault], all_told: bool) -> web.Response:  # noqa: FBT001 - `ErrorResponse`
    """Return an error as Cortex writes it; a list of all faults follows."""
    fields: dict[str, Any] = {"kind": faults[0].kind, "message": faults[0].message.strip()}
    if all_told:
        fields["faults"] = _fault_fields(faults)
    return web.Response(
        status=status, body=f"{encode(fields)}\n".encode(), headers={"Content-Type": "application/json"}
    )


def problem(status: int, faults: list[Fault], all_told: bool) -> web.Response:  # noqa: FBT001 - `ErrorResponse`
    """Return an error of our own routes."""
    fields: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": faults[0].message.strip(),
        "kind": faults[0].kind,
    }
    if all_told:
        fields["faults"] = _fault_fields(faults)
    return web.Response(
        status=status, body=encode(fields).encode(), headers={"Content-Type": "application/problem+json"}
    )


async def answer(
    handler: Callable[[], Awaitable[web.StreamResponse]], error_response: ErrorResponse
) -> web.StreamResponse:
    """Return what `handler` returns, or the response for the error that it raises."""
    try:
        return await handler()
    except JobRequestError as error:
        status = _PROBLEM_STATUS.get(type(error), 400) if error_response is problem else 400
        return _refused(error, status, list(error.faults), error_response)
    except JobsUnavailableError as error:
        response = _refused(error, 503, [Fault(FOREIGN, str(error))], error_response)
        response.headers["Retry-After"] = "1"
        return response
    except InvalidSpecError as error:
        return _refused(error, 500, [Fault(FOREIGN, "the stored specification is not one")], error_response)
    except (gateway_errors.UploadBrokenError, gateway_errors.UploadStalledError) as error:
        return _refused(error, 400, [Fault(FOREIGN, str(error))], error_response)
    except gateway_errors.PayloadTooLargeError as error:
        return _refused(error, 413, [Fault(FOREIGN, str(error))], error_response)


def _refused(error: DequeuerError, status: int, faults: list[Fault], error_response: ErrorResponse) -> web.Response:
    cause = clip(f"{type(error.__cause__).__name__}: {error.__cause__}") if error.__cause__ else ""
    level = logging.ERROR if status >= 500 else logging.INFO
    structlog.get_logger().log(level, "request_refused", status=status, error=clip(str(error)), cause=cause)
    return error_response(status, faults, isinstance(error, InvalidSubmissionError))


def _fault_fields(faults: list[Fault]) -> list[dict[str, str]]:
    return [{"kind": fault.kind, "message": fault.message.strip()} for fault in faults]
