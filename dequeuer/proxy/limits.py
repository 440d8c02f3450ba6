"""The bounds of the proxy: how many connections, how long it waits, how much it takes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyLimits:
    """The bounds of one proxy. Times are seconds.

    Attributes:
        max_connections: of clients. Above it the one that has been idle longest is closed; when none is idle, the new
            one.
        head_timeout_s: from the first byte of a request to the end of its head; also from the connection to its first
            byte.
        body_timeout_s: between two reads of the body of a request, and between two writes of a response that the client
            does not read.
        keepalive_timeout_s: how long a client's connection may be idle.
        request_timeout_s: from the admission of a request to the head of its response; 0: no limit.
        max_body_bytes: of a request; 0: no limit.
    """

    max_connections: int = 10_000
    head_timeout_s: float = 10.0
    body_timeout_s: float = 60.0
    keepalive_timeout_s: float = 75.0
    request_timeout_s: float = 0.0
    max_body_bytes: int = 0
