"""Reads the head of an HTTP/1 response of a server that is not trusted to frame its messages."""

from __future__ import annotations

import re
from typing import Final

import httptools

from dequeuer.http.errors import MalformedError
from dequeuer.http.framing import MAX_LENGTH, BodyReader, ChunkedBody, LengthBody, NoBody, UntilCloseBody
from dequeuer.http.message_head import MessageHead
from dequeuer.http.protocols import guess_protocol

MAX_HEAD_BYTES: Final = 64 * 1024
"""Size of the head of a response."""
MAX_FIELDS: Final = 256
_STATUS_LINE: Final = re.compile(rb"HTTP/1\.([01]) ([1-5][0-9][0-9])(?: ([\t -~\x80-\xff]*))?\r\n")


class ResponseHead(MessageHead):
    """What the head of a response says."""

    __slots__ = ("reason", "status")

    SPECIAL = frozenset({b"connection", b"content-length", b"transfer-encoding", b"keep-alive", b"upgrade"})

    def __init__(self, status: int, reason: bytes, *, is_http10: bool) -> None:
        super().__init__(is_http10=is_http10)
        self.status = status
        self.reason = reason

    @property
    def is_interim(self) -> bool:
        """Whether another response to the same request follows."""
        return self.status < 200 and self.status != 101

    def has_body(self, method: bytes) -> bool:
        """Whether a body may follow, by status and by the method of the request."""
        return not (self.status < 200 or self.status in {204, 304} or method == b"HEAD")

    def body_reader(self, method: bytes) -> BodyReader:
        """Return a reader of the body."""
        if not self.has_body(method):
            return NoBody()
        if self.is_chunked:
            return ChunkedBody()
        return UntilCloseBody() if self.body_length is None else LengthBody(self.body_length)


def read_response_head(data: bytes) -> ResponseHead:
    """Read a whole head, up to its empty line. Raises `MalformedError`."""
    line = _STATUS_LINE.match(data)
    if line is None:
        raise MalformedError("a response whose first line is not valid", looks_like=guess_protocol(data))
    head = ResponseHead(int(line[2]), line[3] or b"", is_http10=line[1] == b"0")
    parser = httptools.HttpResponseParser(head)
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError:
        raise MalformedError("a response with a field that is not valid") from None
    if len(head.fields) > MAX_FIELDS:
        raise MalformedError(f"a response with more than {MAX_FIELDS} fields")
    _read_framing(head)
    return head


def _read_framing(head: ResponseHead) -> None:
    special = head.special
    if b"connection" in special:
        head.read_connection(special[b"connection"])
    if b"transfer-encoding" in special:
        codings = special[b"transfer-encoding"]
        if head.is_http10 or b"content-length" in special or len(codings) > 1 or codings[0].lower() != b"chunked":
            raise MalformedError("a response whose length is ambiguous")
        head.is_chunked = True
    elif b"content-length" in special:
        lengths = set(special[b"content-length"])
        if len(lengths) > 1:
            raise MalformedError("a response whose length is ambiguous")
        head.body_length = int(lengths.pop())
        if head.body_length > MAX_LENGTH:
            raise MalformedError("a response whose length is too large")
