"""The status of a request as a line of JSON, with the result as the container gave it."""

from __future__ import annotations

import re
from typing import Any, Final

from dequeuer.client.request_status import RequestStatus
from dequeuer.formats.go_json import encode
from dequeuer.requests_command.options import Options

# In JSON these stand only between values: within a text they are escapes.
_LINE_BREAKS: Final = re.compile(rb"[\r\n\t]+")


def printed_bytes(options: Options) -> int | None:
    """Return the bytes up to which a result is asked for with a status: none when people read it; None: all."""
    return None if options.is_json else 0


def status_line(status: RequestStatus) -> str:
    """Return all that the gateway says of a request."""
    return line_with_result(dict(status.fields), status.result_json)


def outcome_line(fields: dict[str, Any], status: RequestStatus) -> str:
    """Return some fields, then the result of a request or its error."""
    if status.state == "completed" and status.result_json is not None:
        return line_with_result(fields, status.result_json)
    error = status.fields.get("error") or {"message": missing_result(status)}
    return encode({**fields, "status": status.state, "error": error})


def line_with_result(fields: dict[str, Any], result: bytes | None) -> str:
    """Return fields and a result as one line. Numbers and texts of the result stay as they are."""
    line = encode(fields)
    if result is None:
        return line
    value = _LINE_BREAKS.sub(b" ", result.strip()).decode(errors="replace")
    return f'{line[:-1]}{"," if fields else ""}"result":{value}}}'


def missing_result(status: RequestStatus) -> str:
    """Return why there is no result."""
    if status.state == "completed":
        return "the result is not there any more: the bucket has deleted it"
    return f"the request is {status.state}, and the gateway tells no reason"
