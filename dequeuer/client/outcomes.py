"""What waiting for a request can end with, besides its result."""

from __future__ import annotations

from dequeuer.client.errors import ClientError, InvalidAnswerError
from dequeuer.client.request_status import RequestStatus


class RequestFailedError(ClientError):
    """The request has failed. `status`: of the request, with its attempts and its error."""

    def __init__(self, status: RequestStatus) -> None:
        error = status.error
        why = "" if error is None else ": " + ": ".join(part for part in (error.code, error.message) if part)
        super().__init__(f"request {status.id} failed{why}")
        self.status = status


class RequestNotEndedError(ClientError):
    """The time to wait is over, and the request goes on: wait again, or cancel it. `status`: that stands."""

    def __init__(self, status: RequestStatus, waited_s: float) -> None:
        super().__init__(f"request {status.id} is {status.state} after {waited_s:g} s: wait longer, or cancel it")
        self.status = status


def result_of(status: RequestStatus) -> object:
    """Return the result of a request that has ended.

    Raises:
        RequestFailedError: it has failed.
        InvalidAnswerError: its result has expired, or cannot be read.
    """
    if status.state == "failed":
        raise RequestFailedError(status)
    return status.result()


def result_json_of(status: RequestStatus) -> bytes:
    """Return the bytes of the result of a request that has ended. Raises as `result_of`."""
    if status.state == "failed":
        raise RequestFailedError(status)
    if status.result_json is None:
        raise InvalidAnswerError(f"request {status.id} is {status.state}, and its result is not there any more")
    return status.result_json
