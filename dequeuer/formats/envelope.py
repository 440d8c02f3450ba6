"""A whole small request in one queue message: no object is written, read or deleted for its input.

    {"dequeuer":1,"id":"...","headers":{"Name":["value"]},"type":"text/plain","payload":"<base64>"}

`"again":true` is there when the message may not be the only one of its request.

Only ASCII is written, as SQS takes no other control characters. The version goes up when a reader of this one
would do something wrong.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass

from dequeuer.core.errors import InvalidInputError

VERSION = 1
MARK = '{"dequeuer":'
"""What every envelope begins with; no request id does."""
LIMIT_BYTES = 256 * 1024
"""The largest envelope that is written: what queues took before they took 1 MiB."""

_ID = re.compile(r'\{"dequeuer":[0-9]{1,9},"id":"([^"\\]{1,128})"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Envelope:
    """A request.

    Attributes:
        request_id: not yet judged.
        headers: the content of `headers.json`, not yet judged.
        content_type: of the payload; None, also for one that could be no header's value.
        payload: the body.
        again: it may have been sent before: the request may be finished although this message is new.
    """

    request_id: str
    headers: bytes
    content_type: str | None
    payload: bytes
    again: bool = False


def seal(request: Envelope) -> str:
    """Write an envelope. Raises `ValueError` when the headers are not JSON."""
    fields: dict[str, object] = {"id": request.request_id}
    if request.again:
        fields["again"] = True
    fields |= {"headers": json.loads(request.headers), "type": request.content_type}
    fields["payload"] = base64.b64encode(request.payload).decode()
    return f"{MARK}{VERSION},{json.dumps(fields, separators=(',', ':'))[1:]}"


def is_envelope(body: str) -> bool:
    """Tell whether a message is one, well-formed or not: such a message is never quoted."""
    return body.startswith(MARK)


def request_id_of(body: str) -> str:
    """Return the id in a message, cheaply and without judging it; of an envelope it has to be the first field."""
    if not is_envelope(body):
        return body
    found = _ID.match(body)
    return found[1] if found else ""


def unseal(body: str) -> Envelope:
    """Read an envelope.

    Raises:
        InvalidInputError: it is malformed, or of another version. The text quotes nothing of it.
    """
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError):
        raise InvalidInputError("the envelope is not JSON") from None
    if not isinstance(fields, dict) or fields.get("dequeuer") != VERSION or isinstance(fields.get("dequeuer"), bool):
        raise InvalidInputError(f"the envelope is not of version {VERSION}: this sidecar may be older than the gateway")
    request_id, content_type, packed = fields.get("id"), fields.get("type"), fields.get("payload")
    if not isinstance(request_id, str) or not isinstance(packed, str) or not isinstance(content_type, str | None):
        raise InvalidInputError("the envelope lacks an id or a payload, or one of its fields is no text")
    try:
        payload = base64.b64decode(packed, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidInputError("the envelope's payload is not base64") from None
    headers = json.dumps(fields.get("headers")).encode()
    return Envelope(
        request_id=request_id,
        headers=headers,
        # What could not be a header's value (a line break, say) says nothing.
        content_type=content_type if content_type and content_type.isascii() and content_type.isprintable() else None,
        payload=payload,
        again=fields.get("again") is True,
    )
