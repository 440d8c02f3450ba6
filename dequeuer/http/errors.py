"""What can go wrong on the wire. Adapters translate it; nothing else sees it."""

from __future__ import annotations


class HttpTransportError(Exception):
    """No whole response arrived. The texts name the fact, and quote nothing that was sent or received."""


class UnreachableError(HttpTransportError):
    """No connection could be made: the request was not sent.

    Attributes:
        reason: what the system said.
        nobody_listens: the connection was refused.
    """

    def __init__(self, server: str, reason: str, *, nobody_listens: bool = False) -> None:
        super().__init__(f"{server} cannot be reached: {reason}")
        self.reason = reason
        self.nobody_listens = nobody_listens


class ConnectionBrokenError(HttpTransportError):
    """The connection ended before the response was whole.

    Attributes:
        unanswered: not a byte of a response had arrived.
    """

    def __init__(self, text: str, *, unanswered: bool) -> None:
        super().__init__(text)
        self.unanswered = unanswered


class ResponseTimeoutError(HttpTransportError):
    """The response took too long."""


class MalformedError(HttpTransportError):
    """What arrived is not HTTP/1, or is larger than any response that makes sense.

    Attributes:
        looks_like: the protocol of the first bytes, when they are not HTTP/1; else "".
    """

    def __init__(self, text: str, *, looks_like: str = "") -> None:
        super().__init__(text)
        self.looks_like = looks_like


class ResponseTooLargeError(MalformedError):
    """The response is larger than the caller can take."""
