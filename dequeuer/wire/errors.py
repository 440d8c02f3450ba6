"""What can go wrong on the wire. Adapters translate it; nothing else sees it."""

from __future__ import annotations


class WireError(Exception):
    """No whole answer arrived. The texts name the fact, and quote nothing that was sent or received."""


class UnreachableError(WireError):
    """No connection could be made: the request was not sent."""

    def __init__(self, server: str, reason: str) -> None:
        super().__init__(f"{server} cannot be reached: {reason}")
        self.reason = reason


class BrokenError(WireError):
    """The connection ended before the answer was whole.

    Attributes:
        unanswered: not a byte of an answer had arrived.
    """

    def __init__(self, text: str, *, unanswered: bool) -> None:
        super().__init__(text)
        self.unanswered = unanswered


class SlowError(WireError):
    """The answer took too long."""


class MalformedError(WireError):
    """What arrived is not HTTP, or is larger than any answer that makes sense."""
