"""Errors of the HTTP client. Adapters translate them; no other code sees them."""

from __future__ import annotations


class HttpTransportError(Exception):
    """No whole response arrived. The texts quote nothing that was sent or received."""


class UnreachableError(HttpTransportError):
    """No connection could be made: the request was not sent.

    Attributes:
        reason: the text of the operating system.
        nobody_listens: the connection was refused (ECONNREFUSED).
    """

    def __init__(self, server: str, reason: str, *, nobody_listens: bool = False) -> None:
        super().__init__(f"{server} cannot be reached: {reason}")
        self.reason = reason
        self.nobody_listens = nobody_listens


class AddressRefusedError(HttpTransportError):
    """The server has an address that this client must not connect to: nothing was sent."""


class ConnectionBrokenError(HttpTransportError):
    """The connection ended before the response was whole.

    Attributes:
        unanswered: no head of a response had arrived.
    """

    def __init__(self, text: str, *, unanswered: bool) -> None:
        super().__init__(text)
        self.unanswered = unanswered


class ResponseTimeoutError(HttpTransportError):
    """The server sent nothing, or read nothing, until the deadline."""


class MalformedError(HttpTransportError):
    """What arrived is not valid HTTP/1, or its head is too large.

    Attributes:
        looks_like: the protocol that the first bytes seem to be, when they are not HTTP/1; else "".
    """

    def __init__(self, text: str, *, looks_like: str = "") -> None:
        super().__init__(text)
        self.looks_like = looks_like


class ResponseTooLargeError(MalformedError):
    """The body of the response is larger than the limit of the caller."""
