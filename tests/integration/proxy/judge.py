"""A strict reading of HTTP/1.1 requests, written for the tests alone: which requests are these bytes?

What RFC 9110, 9112 and 3986 do not allow is a fault. What they allow, or let a recipient tolerate, and what servers are
known to read in different ways, is a doubt: a proxy may refuse it, and if it does not, this is what it means.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

Fields = tuple[tuple[bytes, bytes], ...]

TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_REQUEST_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([^\x00-\x20\x7f]+) (HTTP/[0-9]\.[0-9])")
_FIELD = re.compile(
    rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*((?:[\x21-\x7e\x80-\xff](?:[\t \x21-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)[ \t]*"
)
_HOST = re.compile(rb"(?:[A-Za-z0-9._~%!$&'()*+;=-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]*)?")
_PLAIN_HOST = re.compile(rb"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]+)?")
_ABSOLUTE = re.compile(rb"(?i:https?)://([^/?#@]+)(/[^?#]*)?(\?[^#]*)?")
_QUOTED = rb'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
_WORD = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]"
_CHUNK_LINE = re.compile(
    # An extension says nothing about the length, and llhttp takes some that the grammar does not have: without a name,
    # without a value, with a quoted string right behind a word.
    rb"([0-9A-Fa-f]+)((?:[ \t]*;[ \t]*(?:" + _WORD + rb"+|(?=[;=]))"
    rb"(?:[ \t]*=[ \t]*" + _WORD + rb"*(?:" + _QUOTED + rb")?)?)*)"
)
_SPACED_FRAMING = re.compile(rb"\r\n(?:content-length|transfer-encoding):(?! ?[^ \t\r\n]+(?:\r\n|\Z))", re.IGNORECASE)
_URI_BYTES = re.compile(rb"[!$&'()*+,\-./0-9:;=?@A-Z_a-z~%\[\]]+")

MAX_SIZE = 2**63
NEVER_IN_TRAILERS = frozenset(
    {b"authorization", b"connection", b"content-encoding", b"content-length", b"content-range", b"content-type", b"cookie",
     b"expect", b"forwarded", b"host", b"keep-alive", b"te", b"trailer", b"transfer-encoding", b"upgrade",
     b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto"}
)  # fmt: skip
TWINS = frozenset({b"content_length", b"transfer_encoding", b"content-length", b"transfer-encoding"})
"""Names of the framing fields, and those that CGI and WSGI cannot tell from them."""


class FaultError(Exception):
    """The bytes are no request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One request, as it must be understood.

    Attributes:
        body: without its framing.
        doubts: why a recipient may refuse it all the same.
        is_whole: its end was there.
    """

    method: bytes
    target: bytes
    version: bytes
    fields: Fields
    body: bytes = b""
    trailers: Fields = ()
    doubts: tuple[str, ...] = ()
    is_whole: bool = True

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of all fields of a name."""
        return [value for own, value in self.fields if own.lower() == name]

    def listed(self, name: bytes) -> set[bytes]:
        """Return the elements of a field that is a list, in lower case."""
        return {item.strip(b" \t").lower() for value in self.values(name) for item in value.split(b",")} - {b""}

    @property
    def path(self) -> bytes:
        """The target in origin form, or `*`."""
        absolute = _ABSOLUTE.fullmatch(self.target)
        if absolute is None:
            return self.target
        return (absolute[2] or b"/") + (absolute[3] or b"")

    @property
    def is_last(self) -> bool:
        """Whether the connection ends after it."""
        options = self.listed(b"connection")
        return b"close" in options or (self.version == b"HTTP/1.0" and b"keep-alive" not in options)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What bytes say.

    Attributes:
        requests: whole requests, in order.
        partial: the request after them, when its head is whole and its body is not.
        rest: bytes of a head that is not whole, or behind the last request of the connection.
        fault: what is wrong with the next one.
        consumed: bytes of the whole requests.
    """

    requests: tuple[Request, ...]
    partial: Request | None = None
    rest: bytes = b""
    fault: str = ""
    consumed: int = 0


def read_requests(data: bytes) -> Reading:
    """Read requests from the beginning of a connection, or from the end of the last request."""
    requests: list[Request] = []
    at = 0
    while True:
        begin = at
        while data.startswith(b"\r\n", begin):
            begin += 2
        end = data.find(b"\r\n\r\n", begin)
        if end < 0 or (requests and requests[-1].is_last):
            return Reading(requests=tuple(requests), rest=data[at:], consumed=at)
        try:
            request = _head(data[begin:end])
        except FaultError as error:
            return Reading(requests=tuple(requests), rest=data[at:], fault=str(error), consumed=at)
        if begin > at:
            request = replace(request, doubts=(*request.doubts, "empty lines before the request"))
        request, at_end, fault = _with_body(request, data, end + 4)
        if fault or not request.is_whole:
            return Reading(requests=tuple(requests), partial=request, rest=data[at:], fault=fault, consumed=at)
        requests.append(request)
        at = at_end


def _with_body(request: Request, data: bytes, at: int) -> tuple[Request, int, str]:
    """Return the request with its body, where it ends, and what is wrong with the body."""
    if not request.values(b"transfer-encoding"):
        length = int((request.values(b"content-length") or [b"0"])[0])
        body = data[at : at + length]
        return replace(request, body=body, is_whole=len(body) == length), at + length, ""
    chunks, fault = Chunks(data, at), ""
    try:
        chunks.read()
    except FaultError as error:
        fault = str(error)
    whole = replace(
        request,
        body=bytes(chunks.content),
        trailers=chunks.trailers,
        doubts=(*request.doubts, *chunks.doubts),
        is_whole=chunks.is_whole,
    )
    return whole, chunks.at, fault


def _head(head: bytes) -> Request:
    line, *lines = head.split(b"\r\n")
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise FaultError("request line")
    method, target, version = match.groups()
    if version not in (b"HTTP/1.0", b"HTTP/1.1"):
        raise FaultError("version")
    doubts: list[str] = []
    fields = read_fields(lines)
    request = Request(method=method, target=target, version=version, fields=fields)
    _check_target(request, doubts)
    _check_host(request, doubts)
    _check_framing(request, doubts)
    _check_options(request, doubts)
    if _SPACED_FRAMING.search(head):
        doubts.append("whitespace around what frames the body")
    if len(head) > 8000 or len(fields) > 60:
        doubts.append("large head")
    return replace(request, doubts=tuple(doubts))


def read_fields(lines: Sequence[bytes]) -> Fields:
    """Read the lines of fields or trailers; raise `FaultError`."""
    fields = []
    for line in lines:
        match = _FIELD.fullmatch(line)
        if match is None:
            raise FaultError("field line")
        fields.append((match[1], match[2]))
    return tuple(fields)


def _check_target(request: Request, doubts: list[str]) -> None:
    target = request.target
    if request.method.upper() == b"CONNECT":
        raise FaultError("CONNECT")
    if b"#" in target:
        raise FaultError("fragment")
    if target != b"*" and not target.startswith(b"/"):
        absolute = _ABSOLUTE.fullmatch(target)
        if absolute is None or _PLAIN_HOST.fullmatch(absolute[1]) is None:
            raise FaultError("form of the target")
        if [host.lower() for host in request.values(b"host")] not in ([absolute[1].lower()], []):
            raise FaultError("Host is not that of the target")
        doubts.append("absolute form")
    if target == b"*" and request.method != b"OPTIONS":
        raise FaultError("asterisk form")
    if _URI_BYTES.fullmatch(target.removeprefix(b"*") or b"/") is None:
        doubts.append("bytes in the target")


def _check_host(request: Request, doubts: list[str]) -> None:
    hosts = request.values(b"host")
    if len(hosts) > 1 or (not hosts and request.version == b"HTTP/1.1"):
        raise FaultError("number of Host fields")
    for host in hosts:
        if _HOST.fullmatch(host) is None:
            raise FaultError("Host")
        if _PLAIN_HOST.fullmatch(host) is None:
            doubts.append("form of Host")


def _check_framing(request: Request, doubts: list[str]) -> None:
    lengths, codings = request.values(b"content-length"), request.values(b"transfer-encoding")
    if len(lengths) + len(codings) > 1:
        raise FaultError("framed twice")
    for length in lengths:
        if re.fullmatch(rb"[0-9]+", length) is None or len(length.lstrip(b"0")) > 30 or int(length) >= MAX_SIZE:
            raise FaultError("Content-Length")
        if length != b"%d" % int(length):
            doubts.append("zeros before Content-Length")
    if any(name.lower() in TWINS for name, _ in request.fields if b"_" in name):
        raise FaultError("underscore in the name of a framing field")
    for coding in codings:
        if coding.lower() != b"chunked":
            raise FaultError("coding")
        if request.version == b"HTTP/1.0":
            raise FaultError("chunked in HTTP/1.0")


def _check_options(request: Request, doubts: list[str]) -> None:
    names = {name.lower() for name, _ in request.fields}
    if any(b"_" in name for name in names):
        doubts.append("underscore in a name")
    options = request.listed(b"connection")
    if any(TOKEN.fullmatch(option) is None for option in options):
        doubts.append("option of Connection")
    if options & {
        b"connection",
        b"host",
        b"content-length",
        b"transfer-encoding",
        b"content-type",
        b"authorization",
        b"cookie",
    }:
        doubts.append("Connection names what is no option")
    if options & {b"x-forwarded-for", b"x-forwarded-host", b"x-forwarded-proto", b"forwarded"}:
        doubts.append("Connection names a forwarding field")
    if b"upgrade" in names or b"upgrade" in options or b"http2-settings" in names:
        doubts.append("Upgrade")
    if b"expect" in names:
        doubts.append("Expect")


class Chunks:
    """A chunked body.

    Attributes:
        content: the data of the chunks.
        at: where it ends.
        is_whole: its end was there.
    """

    def __init__(self, data: bytes, at: int) -> None:
        self._data = data
        self.at = at
        self.content = bytearray()
        self.trailers: Fields = ()
        self.doubts: list[str] = []
        self.is_whole = False

    def read(self) -> None:
        """Read up to the end, or as far as it goes; raise `FaultError`."""
        while (size := self._size()) is not None:
            if size == 0:
                self._read_trailers()
                return
            self.content += self._data[self.at : self.at + size]
            self.at += size
            closing = self._data[self.at : self.at + 2]
            if not b"\r\n".startswith(closing):
                raise FaultError("end of a chunk")
            if len(closing) < 2:
                return
            self.at += 2

    def _line(self) -> bytes | None:
        end = self._data.find(b"\r\n", self.at)
        if end < 0:
            return None
        line = self._data[self.at : end]
        self.at = end + 2
        return line

    def _size(self) -> int | None:
        line = self._line()
        if line is None:
            return None
        match = _CHUNK_LINE.fullmatch(line)
        if match is None:
            raise FaultError("chunk size")
        size = int(match[1], 16)
        if len(match[1].lstrip(b"0")) > 30 or size >= MAX_SIZE:
            raise FaultError("size of a chunk")
        if match[2]:
            self.doubts.append("chunk extension")
        if match[1].lower() != b"%x" % size:
            self.doubts.append("form of a chunk size")
        return size

    def _read_trailers(self) -> None:
        lines = []
        while (line := self._line()) != b"":
            if line is None:
                return
            lines.append(line)
        self.trailers = read_fields(lines)
        if {name.lower() for name, _ in self.trailers} & (NEVER_IN_TRAILERS | TWINS) or len(lines) > 50:
            self.doubts.append("trailers")
        self.is_whole = True


def read_chunks(data: bytes, at: int) -> Chunks:
    """Read a chunked body that begins at `at`; raise `FaultError`."""
    chunks = Chunks(data, at)
    chunks.read()
    return chunks
