"""How large a body each caller may send, whatever it asks for: a submission, a job, a request to a realtime API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aiohttp import web


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyLimit:
    """The limit of a caller.

    Attributes:
        max_bytes: of a body.
        caller: its name.
    """

    max_bytes: int
    caller: str

    @property
    def text(self) -> str:
        """What a client that sends more is told."""
        return (
            f"the body is larger than the {self.max_bytes} bytes that {self.caller} may send: send a smaller one, or a "
            "reference to it, or have max_bytes raised in the gateway's file of tokens"
        )

    def is_passed_by(self, request: web.Request) -> bool:
        """Return whether a request announces more."""
        return (request.content_length or 0) > self.max_bytes


_LIMIT: Final = web.RequestKey("dequeuer_body_limit", BodyLimit)


def set_body_limit(request: web.Request, limit: BodyLimit) -> None:
    """Note the limit of whoever sent a request, for when its body is read."""
    request[_LIMIT] = limit


def body_limit(request: web.Request) -> BodyLimit | None:
    """Return the limit of whoever sent a request; None: it has none of its own."""
    limit: BodyLimit | None = request.get(_LIMIT)
    return limit
