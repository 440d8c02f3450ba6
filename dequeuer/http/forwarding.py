"""The heads that are sent on: to the container, and back to the client. Bodies are framed anew by the caller."""

from __future__ import annotations

import re
from typing import Final

from dequeuer.formats.headers import HOP_BY_HOP
from dequeuer.http.framing import Trailers
from dequeuer.http.message_head import Field
from dequeuer.http.request_head import RequestHead
from dequeuer.http.response_head import ResponseHead

# RFC 9110, sections 7.6.1 and 11.7: what authenticates a client at a proxy is for the next hop, too.
_HOP_BY_HOP: Final = frozenset(name.encode() for name in HOP_BY_HOP) | {b"proxy-authenticate", b"proxy-authorization"}
_REWRITTEN: Final = frozenset(
    {b"content-length", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"forwarded", b"traceparent"}
)
_NOT_FROM_CLIENT: Final = _HOP_BY_HOP | _REWRITTEN
# W3C Trace Context, section 3.3: it is about a trace that the container is not told of.
_NOT_FROM_CLIENT_IN_NEW_TRACE: Final = _NOT_FROM_CLIENT | {b"tracestate"}
_NOT_FROM_CONTAINER: Final = _HOP_BY_HOP | {b"content-length"}
# RFC 9110, section 6.5.1: fields that frame, route, authenticate or describe the content. A recipient that merges
# trailers into the head would take them for what the head said.
_NOT_IN_TRAILERS: Final = (
    _HOP_BY_HOP
    | _REWRITTEN
    | {
        *(b"host", b"authorization", b"cookie", b"set-cookie", b"content-encoding", b"content-type", b"content-range"),
        *(b"trailer", b"expect", b"max-forwards", b"range", b"cache-control", b"www-authenticate", b"location"),
    }
)
_find_quoted: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+("?)').findall
"""Finds quoted strings, each as the quote at its end; b"" for one that has none: the rest is not searched anew."""
_CHUNKED_LINE: Final = b"Transfer-Encoding: chunked"


def request_head(head: RequestHead, client: bytes, traceparent: bytes, *, keep_alive: bool) -> bytes:
    """Return the head for the container, with its empty line.

    Args:
        head: of the client's request.
        client: its address, as `X-Forwarded-For` has it.
        traceparent: the value of that field. Where it is not the client's, its `tracestate` is dropped.
        keep_alive: whether the connection to the container is to be used again.
    """
    special = head.special
    lines = [b"%b %b HTTP/1.1" % (head.method, head.target)]
    is_clients_trace = special.get(b"traceparent") == [traceparent]
    dropped = _NOT_FROM_CLIENT if is_clients_trace else _NOT_FROM_CLIENT_IN_NEW_TRACE
    lines += _end_to_end(head.fields, dropped, head.connection_options)
    if head.is_http10 and b"host" not in special:
        lines.append(b"Host: localhost")
    addresses = special.get(b"x-forwarded-for")
    lines.append(b"X-Forwarded-For: " + (b", ".join([*addresses, client]) if addresses else client))
    lines.append(b"X-Forwarded-Proto: " + b", ".join(special.get(b"x-forwarded-proto", (b"http",))))
    host = special.get(b"x-forwarded-host") or special.get(b"host")
    if host:
        lines.append(b"X-Forwarded-Host: " + b", ".join(host))
    if b"forwarded" in special:
        lines += _forwarded(b", ".join(special[b"forwarded"]), client)
    lines.append(b"traceparent: " + traceparent)
    options: list[bytes] = []
    if b"te" in special and any(b"trailers" in value.lower() for value in special[b"te"]):
        lines.append(b"TE: trailers")
        options.append(b"TE")
    if head.upgrade or not keep_alive:
        options.append(b"Upgrade" if head.upgrade else b"close")
    if options:
        lines.append(b"Connection: " + b", ".join(options))
    if head.upgrade:
        lines.append(b"Upgrade: " + head.upgrade)
    if head.is_chunked:
        lines.append(_CHUNKED_LINE)
    elif head.body_length is not None:
        lines.append(b"Content-Length: %d" % head.body_length)
    lines.append(b"\r\n")
    return b"\r\n".join(lines)


def _forwarded(value: bytes, client: bytes) -> list[bytes]:
    """Return the field `Forwarded` with the client added; nothing when a quote in it does not end."""
    if not all(_find_quoted(value)):
        return []
    node = b'"[%b]"' % client if b":" in client else client
    return [b"Forwarded: %b, for=%b;proto=http" % (value, node)]


def response_head(head: ResponseHead, *, chunked: bool, connection: bytes) -> bytes:
    """Return the head for the client, with its empty line.

    Args:
        head: of the container's response.
        chunked: whether its body is sent in chunks.
        connection: the value of the field of that name; b"": it is left out.
    """
    lines = [b"HTTP/1.1 %d %b" % (head.status, head.reason)]
    lines += _end_to_end(head.fields, _NOT_FROM_CONTAINER, head.connection_options)
    if connection:
        lines.append(b"Connection: " + connection)
    if head.status == 101:
        lines += [b"Upgrade: " + value for value in head.special.get(b"upgrade", ())]
    elif chunked:
        lines.append(_CHUNKED_LINE)
    elif head.body_length is not None and head.status >= 200 and head.status != 204:
        lines.append(b"Content-Length: %d" % head.body_length)
    lines.append(b"\r\n")
    return b"\r\n".join(lines)


def last_chunk(trailers: Trailers) -> bytes:
    """Return the end of a chunked body."""
    # Some servers read "_" as "-".
    lines = [
        b"%b: %b\r\n" % (name, value)
        for name, value in trailers
        if name.lower().replace(b"_", b"-") not in _NOT_IN_TRAILERS
    ]
    return b"0\r\n%b\r\n" % b"".join(lines)


def _end_to_end(fields: list[Field], dropped: frozenset[bytes], named: frozenset[bytes]) -> list[bytes]:
    """Return the lines of the fields that are for the other end. `named`: what the Connection field names."""
    if named:
        return [
            b": ".join((name, value))
            for lower, name, value in fields
            if lower not in dropped and (lower not in named or lower == b"content-type")
        ]
    return [b": ".join((name, value)) for lower, name, value in fields if lower not in dropped]
