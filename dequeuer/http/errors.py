"""What can go wrong on the wire. Adapters translate it; nothing else sees it."""

from __future__ import annotations


class WireError(Exception):
    """No whole answer arrived. The texts name the fact, and quote nothing that was sent or received."""


class UnreachableError(WireError):
    """No connection could be made: the request was not sent.

    Attributes:
        reason: what the system said.
        nobody_listens: the connection was refused.
    """

    def __init__(self, server: str, reason: str, *, nobody_listens: bool = False) -> None:
        super().__init__(f"{server} cannot be reached: {reason}")
        self.reason = reason
        self.nobody_listens = nobody_listens


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
    """What arrived is not HTTP/1, or is larger than any answer that makes sense.

    Attributes:
        looks_like: the protocol of the first bytes, when they are not HTTP/1; else "".
    """

    def __init__(self, text: str, *, looks_like: str = "") -> None:
        super().__init__(text)
        self.looks_like = looks_like


class TooLargeError(MalformedError):
    """The answer is larger than the caller can take."""
