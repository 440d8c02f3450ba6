"""The end of a request as it is announced: the message in the outbox, and the body of the webhook."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from typing import Final, Literal

from dequeuer.core.errors import InvalidInputError, clip
from dequeuer.formats.failure import FAILURE_CODES
from dequeuer.formats.json_reading import json_or_none
from dequeuer.formats.request_id import is_request_id

EndStatus = Literal["completed", "failed"]
VERSION: Final = 1
MAX_MESSAGE_CHARS: Final = 16 * 1024
"""More than any message that is written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookEvent:
    """A request has ended, and who is told.

    Attributes:
        url: of the receiver; checked again before it is used.
        api_name: of the request.
        request_id: of the request.
        status: how it has ended.
        ended_at: when the sidecar saw it, seconds since the epoch.
        error: why it failed, for people; None when it did not, or no reason was stored.
        code: the same for programs.
    """

    url: str
    api_name: str
    request_id: str
    status: EndStatus
    ended_at: float
    error: str | None = None
    code: str | None = None


def encode_event(event: WebhookEvent) -> str:
    """Return the message of the outbox."""
    return json.dumps(
        {
            "dequeuer_webhook": VERSION,
            "url": event.url,
            "api_name": event.api_name,
            "id": event.request_id,
            "status": event.status,
            "ended_at": round(event.ended_at, 3),
            "error": event.error,
            "code": event.code,
        }
    )


def decode_event(message: str) -> WebhookEvent:
    """Return the event of a message. Raises `InvalidInputError`, whose text quotes nothing of it."""
    match json_or_none(message) if len(message) <= MAX_MESSAGE_CHARS else None:
        case {
            "dequeuer_webhook": 1,
            "url": str(url),
            "api_name": str(api_name),
            "id": str(request_id),
            "status": "completed" | "failed" as status,
            "ended_at": int() | float() as ended_at,
            "error": str() | None as error,
            "code": str() | None as code,
        } if is_request_id(request_id) and is_request_id(api_name) and 0 <= ended_at < 1e11:
            return WebhookEvent(
                url=url,
                api_name=api_name,
                request_id=request_id,
                status=status,
                ended_at=ended_at,
                error=None if error is None else clip(error),
                code=code if code in FAILURE_CODES else None,
            )
    raise InvalidInputError("the message is not a webhook of this version")


def webhook_id(cluster_uid: str, event: WebhookEvent) -> str:
    """Return the id by which receivers drop what they have had: the same for each delivery of one end of a request."""
    named = f"{cluster_uid}\n{event.api_name}\n{event.request_id}\n{event.status}"
    return f"msg_{sha256(named.encode()).hexdigest()[:32]}"


def webhook_body(event: WebhookEvent, results_url: str | None) -> bytes:
    """Return the body: never a payload or a result. `results_url`: of the gateway; None: the body names no URL."""
    data: dict[str, object] = {"id": event.request_id, "api_name": event.api_name, "status": event.status}
    if event.status == "failed":
        data["error"] = {name: value for name, value in (("code", event.code), ("message", event.error)) if value}
    if results_url is not None:
        data["result_url"] = f"{results_url.rstrip('/')}/{event.api_name}/{event.request_id}"
    at = datetime.fromtimestamp(event.ended_at, UTC).isoformat(timespec="milliseconds").removesuffix("+00:00")
    document = {"type": f"request.{event.status}", "timestamp": f"{at}Z", "data": data}
    return json.dumps(document, separators=(",", ":")).encode()
