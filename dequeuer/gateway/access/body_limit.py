"""How large a body each caller may send, whatever it asks for: a submission, a job, a request to a realtime API."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from dequeuer.gateway.access.caller import caller_of


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


def body_limit(request: web.Request) -> BodyLimit | None:
    """Return the limit of whoever sent a request; None: it has none of its own."""
    caller = caller_of(request)
    if caller is None or caller.max_bytes is None:
        return None
    return BodyLimit(max_bytes=caller.max_bytes, caller=caller.name)
