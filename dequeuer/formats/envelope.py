"""The envelope: one queue message that holds a whole small request. Its input needs no object in the store.

    {"dequeuer":1,"id":"...","headers":{"Name":["value"]},"type":"text/plain","payload":"<base64>"}

`"again":true` is present when the queue may hold another message for the same request.

Only ASCII is written, because SQS refuses most control characters. The version must be raised whenever a reader
of the current version would misread the new form.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass

from dequeuer.core.errors import InvalidInputError
from dequeuer.formats.request_id import is_request_id

VERSION = 1
PREFIX = '{"dequeuer":'
"""Every envelope begins with it; no request id can."""
MAX_BYTES = 256 * 1024
"""The largest envelope that is written: the older message size limit of SQS, which some queues still have."""

_ID = re.compile(r'\{"dequeuer":[0-9]{1,9},"id":"([^"\\]{1,128})"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A request.

    Attributes:
        request_id: valid in an envelope that was decoded.
        headers: the content of `headers.json`, not yet validated.
        content_type: of the payload; None when it is missing or could not be sent as a header.
        payload: the body.
        may_repeat: another message may have been sent for this request, so the request may already be finished
            although this message is new.
    """

    request_id: str
    headers: bytes
    content_type: str | None
    payload: bytes
    may_repeat: bool = False


def encode_envelope(request: Envelope) -> str:
    """Return the body of the queue message. Raises `ValueError` when the headers are not JSON."""
    fields: dict[str, object] = {"id": request.request_id}
    if request.may_repeat:
        fields["again"] = True
    fields |= {"headers": json.loads(request.headers), "type": request.content_type}
    fields["payload"] = base64.b64encode(request.payload).decode()
    return f"{PREFIX}{VERSION},{json.dumps(fields, separators=(',', ':'))[1:]}"


def is_envelope(body: str) -> bool:
    """Return whether a message body is an envelope, well-formed or not. An envelope must never be quoted in a log."""
    return body.startswith(PREFIX)


def request_id_of(body: str) -> str:
    """Return the request id in a message body without parsing the rest; "" when there is no valid one.

    In an envelope the id must be the first field; otherwise it is not found.
    """
    request_id = body
    if is_envelope(body):
        found = _ID.match(body)
        request_id = found[1] if found else ""
    return request_id if is_request_id(request_id) else ""


def decode_envelope(body: str) -> Envelope:
    """Parse an envelope.

    Raises:
        InvalidInputError: it is malformed, has another version, or its request id is not valid. The text quotes
            nothing from it: it holds a payload and headers.
    """
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidInputError("the envelope is not JSON") from None
    if not isinstance(fields, dict) or fields.get("dequeuer") != VERSION or isinstance(fields.get("dequeuer"), bool):
        raise InvalidInputError(f"the envelope is not version {VERSION}: this sidecar may be older than the gateway")
    request_id, content_type, packed = fields.get("id"), fields.get("type"), fields.get("payload")
    if not isinstance(request_id, str) or not isinstance(packed, str) or not isinstance(content_type, str | None):
        raise InvalidInputError("the envelope lacks an id or a payload, or one of its fields is not a string")
    try:
        payload = base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInputError("the envelope's payload is not base64") from None
    if not is_request_id(request_id):
        raise InvalidInputError("the message is not a request id: that of an envelope")
    headers = json.dumps(fields.get("headers")).encode()
    return Envelope(
        request_id=request_id,
        headers=headers,
        # A text that cannot be a header value (for example one with a line break) is ignored.
        content_type=content_type if content_type and content_type.isascii() and content_type.isprintable() else None,
        payload=payload,
        may_repeat=fields.get("again") is True,
    )
