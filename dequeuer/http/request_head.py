"""Reads the head of an HTTP/1 request, and refuses everything that two servers could understand differently.

llhttp reads it (without any of its leniencies); the checks around it are for what llhttp accepts and others do not:
other protocols, methods it does not know, the form of the target, the Host field, and what a field may be named.
"""

from __future__ import annotations

import re
from typing import Final

import httptools

from dequeuer.http.field_values import remembered
from dequeuer.http.framing import MAX_LENGTH, BodyReader, ChunkedBody, LengthBody, NoBody
from dequeuer.http.message_head import MessageHead

MAX_HEAD_BYTES: Final = 64 * 1024
"""Size of the head of a request."""
MAX_TARGET_BYTES: Final = 16 * 1024
MAX_FIELDS: Final = 256

_TOKEN: Final = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
# A fragment ("#...") is never sent by a client, and servers disagree about what it means.
_REQUEST_LINE: Final = re.compile(rb"(" + _TOKEN + rb") ([!\"$-~]+) HTTP/1\.([01])\r\n")
_OTHER_VERSION: Final = re.compile(rb"[^\r\n ]+ [^\r\n ]+ HTTP/(?!1\.[01]\r)[0-9](?:\.[0-9])?\r\n")
_BARE_LINE_END: Final = re.compile(rb"(?<!\r)\n|\r(?!\n|\Z)")
_ABSOLUTE: Final = re.compile(rb"https?://([^/?]+)([/?].*)?", re.IGNORECASE | re.DOTALL)
_HOST: Final = re.compile(rb"(?:[A-Za-z0-9._~%!$&'()*+;=-]*|\[[0-9A-Fa-f:.]+\])(?::[0-9]{0,5})?")
_TE_FIELDS: Final = re.compile(rb"\r\ntransfer-encoding:[ \t]*([^\n]*?)\r\n", re.IGNORECASE)
_LENGTH_FIELDS: Final = re.compile(rb"\r\ncontent-length[ \t]*:", re.IGNORECASE)
_CODING: Final = re.compile(_TOKEN)

# Those that llhttp reads without a rule of its own. Any other is given to it as POST, which has none either.
_PLAIN_METHODS: Final = frozenset({b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"PATCH", b"TRACE"})
_FRAMING: Final = frozenset({b"content-length", b"transfer-encoding", b"host", b"connection"})
# Servers of CGI, WSGI and PHP read "_" as "-": the container would take these for the fields that are checked here.
_MISLEADING: Final = frozenset(
    name.replace(b"-", b"_")
    for name in (
        *(b"content-length", b"transfer-encoding", b"content-type", b"x-forwarded-for", b"x-forwarded-proto"),
        *(b"x-forwarded-host", b"x-forwarded-prefix", b"proxy-authorization", b"proxy-connection", b"keep-alive"),
    )
)
_REASONS: Final = {408: "timeout", 413: "too_large", 414: "too_large", 431: "too_large", 501: "not_implemented"}


class RequestError(Exception):
    """A request that is refused.

    Attributes:
        status: of the response.
        text: for the client. It quotes nothing of the request.
    """

    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status
        self.text = text

    @property
    def reason(self) -> str:
        """Of `X-Dequeuer-Reason`."""
        return _REASONS.get(self.status, "bad_request")


class RequestHead(MessageHead):
    """What the head of a request says."""

    __slots__ = ("expects_continue", "method", "target", "upgrade")

    SPECIAL = frozenset(
        {
            *(b"host", b"content-length", b"transfer-encoding", b"connection", b"expect", b"upgrade", b"te"),
            *(b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host", b"traceparent"),
            b"user-agent",
        }
    )

    def __init__(self, method: bytes, target: bytes, *, is_http10: bool) -> None:
        super().__init__(is_http10=is_http10)
        self.method = method
        self.target = target
        """In origin form, or `*`."""
        self.expects_continue = False
        self.upgrade = b""
        """The protocol that the client asks for; b"" for none, and where a request cannot be upgraded."""

    @property
    def has_body(self) -> bool:
        """Whether a body follows."""
        return self.is_chunked or bool(self.body_length)

    def body_reader(self) -> BodyReader:
        """Return a reader of the body."""
        if self.is_chunked:
            return ChunkedBody()
        return LengthBody(self.body_length) if self.body_length else NoBody()


def check_unfinished(buffer: bytes | bytearray, searched: int) -> None:
    """Refuse the beginning of a head that cannot become a valid one.

    `searched`: bytes that were checked already, so that a head that comes in many pieces is not read again for each.

    Raises:
        RequestError: it cannot.
    """
    if _BARE_LINE_END.search(buffer, max(0, searched - 1)):
        raise RequestError(400, "a line of the request ends without CR LF")
    if len(buffer) > MAX_TARGET_BYTES and buffer.find(b"\r\n", 0, MAX_TARGET_BYTES) < 0:
        raise RequestError(414, f"the target of the request is longer than {MAX_TARGET_BYTES} bytes")
    if len(buffer) > MAX_HEAD_BYTES:
        raise RequestError(431, f"the head of the request is larger than {MAX_HEAD_BYTES} bytes")


def read_request_head(data: bytes) -> RequestHead:
    """Read a whole head, up to its empty line. Raises `RequestError`."""
    line = _REQUEST_LINE.match(data)
    if line is None:
        raise _bad_request_line(data)
    method, target, minor = line.groups()
    if len(target) > MAX_TARGET_BYTES:
        raise RequestError(414, f"the target of the request is longer than {MAX_TARGET_BYTES} bytes")
    if len(data) > MAX_HEAD_BYTES:
        raise RequestError(431, f"the head of the request is larger than {MAX_HEAD_BYTES} bytes")
    # Some servers take methods for upper case, and would make a tunnel of a connection that others use, too.
    if method.upper() == b"CONNECT":
        raise RequestError(501, "this is no forward proxy: CONNECT is not served")
    head = RequestHead(method, target, is_http10=minor == b"0")
    parser = httptools.HttpRequestParser(head)
    try:
        parser.feed_data(data if method in _PLAIN_METHODS else b"POST" + data[len(method) :])
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError:
        raise _bad_fields(data) from None
    if len(head.fields) > MAX_FIELDS:
        raise RequestError(431, f"the request has more than {MAX_FIELDS} fields")
    _check_names(head, data)
    _read_target_and_host(head)
    _read_framing(head)
    if b"expect" in head.special and not head.is_http10:
        if [value.lower() for value in head.special[b"expect"]] != [b"100-continue"]:
            raise RequestError(417, "Expect may be 100-continue alone")
        head.expects_continue = True
    return head


def _bad_request_line(data: bytes) -> RequestError:
    if _OTHER_VERSION.match(data):
        return RequestError(505, "HTTP/1.1 and HTTP/1.0 are served")
    return RequestError(400, "the first line of the request is not valid")


def _bad_fields(data: bytes) -> RequestError:
    """Return the error for fields that the parser refuses: a coding that nobody knows has a status of its own."""
    codings = _TE_FIELDS.findall(data)
    if len(codings) == 1 and not _LENGTH_FIELDS.search(data) and _is_unknown_coding(codings[0]):
        return RequestError(501, "of the transfer codings only chunked is served")
    return RequestError(400, "a field of the request is not valid")


def _is_unknown_coding(value: bytes) -> bool:
    """Whether a Transfer-Encoding is well-formed, and has another coding than chunked."""
    codings = [coding.strip(b" \t").lower() for coding in value.split(b",")]
    is_valid = all(_CODING.fullmatch(coding) for coding in codings) and b"chunked" not in codings[:-1]
    return is_valid and codings != [b"chunked"]


def _check_names(head: RequestHead, data: bytes) -> None:
    if b"_" not in data:
        return
    for lower, _, _ in head.fields:
        if b"_" in lower and lower.replace(b"-", b"_") in _MISLEADING:
            raise RequestError(400, "a field is named with _ like one that frames or routes a request")


def _read_target_and_host(head: RequestHead) -> None:
    target, hosts = head.target, head.special.get(b"host", ())
    if len(hosts) > 1 or (not hosts and not head.is_http10):
        raise RequestError(400, "a request has exactly one Host field")
    if hosts and not _is_host(hosts[0]):
        raise RequestError(400, "the Host field is not valid")
    if target.startswith(b"/") or (target == b"*" and head.method == b"OPTIONS"):
        return
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or not _is_host(absolute[1]):
        raise RequestError(400, "the target of the request is no path")
    if hosts and hosts[0].lower() != absolute[1].lower():
        raise RequestError(400, "the target of the request and its Host field name different hosts")
    rest = absolute[2] or b""
    if not hosts:
        head.fields.insert(0, (b"host", b"Host", absolute[1]))
        head.special[b"host"] = [absolute[1]]
    head.target = rest if rest.startswith(b"/") else b"/" + rest


@remembered
def _is_host(value: bytes) -> bool:
    return _HOST.fullmatch(value) is not None


def _read_framing(head: RequestHead) -> None:
    special = head.special
    if b"connection" in special:
        head.read_connection(special[b"connection"])
        if not _FRAMING.isdisjoint(head.connection_options):
            raise RequestError(400, "Connection names a field that frames or routes the request")
    if b"transfer-encoding" in special:
        codings = special[b"transfer-encoding"]
        if head.is_http10:
            raise RequestError(400, "HTTP/1.0 has no Transfer-Encoding")
        if b"content-length" in special or len(codings) > 1:
            raise RequestError(400, "the length of the request is given twice")
        if codings[0].lower() != b"chunked":
            raise _bad_coding(codings[0])
        head.is_chunked = True
    elif b"content-length" in special:
        # The parser has checked that it is one decimal number below 2**64.
        head.body_length = int(special[b"content-length"][0])
        if head.body_length > MAX_LENGTH:
            raise RequestError(400, "Content-Length is not valid")
    protocols = special.get(b"upgrade")
    if protocols and b"upgrade" in head.connection_options and not head.is_http10 and not head.has_body:
        upgrade = b", ".join(protocols)
        # HTTP/2 would be spoken past every check that is made here.
        head.upgrade = b"" if b"h2c" in upgrade.lower() else upgrade


def _bad_coding(value: bytes) -> RequestError:
    if _is_unknown_coding(value):
        return RequestError(501, "of the transfer codings only chunked is served")
    return RequestError(400, "Transfer-Encoding is not valid")
