"""A request on its way in, what is known of it later, and which names may become part of a key."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

from dequeuer.core.errors import clip
from dequeuer.gateway.errors import InvalidRequestError
from dequeuer.sinks.base import Payload
from dequeuer.sinks.layout import is_request_id

# \Z, not $: the latter would let a trailing newline through into a key.
_API_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """A request on its way in.

    Attributes:
        api_name: checked by the service.
        request_id: checked by the service.
        queue_url: where the id is sent.
        headers: the content of headers.json.
        content_type: of the payload.
        size: bytes that the client has announced; None when it has not.
        body: read once; what it raises ends the submission with nothing enqueued.
    """

    api_name: str
    request_id: str
    queue_url: str
    headers: bytes
    content_type: str
    size: int | None
    body: AsyncIterator[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What became of a submission of `size` bytes. `known_as`: the status it already had; None for a new one."""

    size: int
    known_as: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What is known of a request. `result` is open, to be read once; `error` tells why it failed."""

    status: str
    result: Payload | None = None
    error: str | None = None


def check_api_name(text: str) -> str:
    """Return the name if it may become part of a key, else raise `InvalidRequestError`."""
    if _API_NAME.match(text) is None:
        message = (
            f'the API name "{clip(text)}" is not valid: 1 to 128 letters, digits, ".", "_" and "-", '
            "beginning with a letter or digit"
        )
        raise InvalidRequestError(message)
    return text


def check_request_id(text: str) -> str:
    """Return the id if it may become part of a key, else raise `InvalidRequestError`."""
    if not is_request_id(text):
        message = (
            f'the request id "{clip(text)}" is not valid: 1 to 128 letters, digits, ".", "_", ":" and "-", '
            "beginning with a letter or digit"
        )
        raise InvalidRequestError(message)
    return text
