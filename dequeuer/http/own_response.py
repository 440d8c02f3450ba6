"""Responses that a server writes itself, without a library: refusals, in front of what it forwards."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

REASON_HEADER: Final = "X-Dequeuer-Reason"
"""The header that names the reason of a response."""


def own_response(status: int, reason: str, text: str, *, keep: bool, without_body: bool = False) -> bytes:
    """Return a response.

    Args:
        status: of the response.
        reason: of `REASON_HEADER`.
        text: the body, for people.
        keep: whether the connection stays open.
        without_body: the request was a HEAD.
    """
    body = text.encode()
    fields = [
        "Content-Type: text/plain; charset=utf-8",
        f"Content-Length: {len(body)}",
        f"{REASON_HEADER}: {reason}",
        *(["Retry-After: 1"] if status == 503 else []),
        *([] if keep else ["Connection: close"]),
    ]
    head = "\r\n".join([f"HTTP/1.1 {status} {HTTPStatus(status).phrase}", *fields, "", ""])
    return head.encode() + (b"" if without_body else body)
