"""A strict reading of HTTP/1.1 responses, written for the tests alone: which responses did the client get?"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from tests.integration.proxy.judge import FaultError, Fields, read_chunks, read_fields

_FRAMING = frozenset({b"content-length", b"transfer-encoding"})
_CONTAINER_STATUS_LINE = re.compile(rb"HTTP/1\.[01] ([1-5][0-9][0-9])(?: ([\t \x21-\x7e\x80-\xff]*))?")
_STATUS_LINE = re.compile(rb"HTTP/1\.1 ([1-5][0-9][0-9]) ([\t \x21-\x7e\x80-\xff]*)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """One response.

    Attributes:
        interim: statuses before it, such as 100 and 103.
        is_whole: its end was there.
    """

    status: int
    reason: bytes
    fields: Fields
    body: bytes
    trailers: Fields
    interim: tuple[int, ...]
    is_whole: bool

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of all fields of a name."""
        return [value for own, value in self.fields if own.lower() == name]


def read_response(data: bytes, method: bytes) -> Response | None:
    """Read what a container has sent before it closed; what follows the response does not matter. None: half a head."""
    return _one(data, 0, method, is_closed=True, is_proxy=False)[0]


def read_responses(data: bytes, methods: Sequence[bytes], *, is_closed: bool) -> list[Response]:
    """Read the responses to requests with these methods; raise `FaultError` for anything that is not exactly that.

    The last one may be unfinished (`is_whole`). A response to no request is a fault.
    """
    responses: list[Response] = []
    at = 0
    while at < len(data):
        if len(responses) == len(methods):
            raise FaultError(f"a response to no request: {data[at : at + 1000]!r}")
        response, at = _one(data, at, methods[len(responses)], is_closed=is_closed)
        if response is None:
            break
        responses.append(response)
    return responses


def _one(data: bytes, at: int, method: bytes, *, is_closed: bool, is_proxy: bool = True) -> tuple[Response | None, int]:
    interim: list[int] = []
    while True:
        end = data.find(b"\r\n\r\n", at)
        if end < 0:
            if b"HTTP/1.1"[: len(data) - at] != data[at : at + 8]:
                raise FaultError(f"no response: {data[at : at + 100]!r}")
            return None, len(data)
        status, reason, fields = _head(data[at:end], _STATUS_LINE if is_proxy else _CONTAINER_STATUS_LINE)
        at = end + 4
        if status >= 200 or status == 101:
            break
        interim.append(status)
    body = _Body(data, at, is_closed=is_closed, is_proxy=is_proxy)
    body.read(fields, is_bare=method == b"HEAD" or status in (101, 204, 304))
    if is_proxy and status in (101, 204) and body.is_framed:
        raise FaultError(f"{status} with {fields}")
    response = Response(
        status=status,
        reason=reason,
        fields=fields,
        body=body.content,
        trailers=body.trailers,
        interim=tuple(interim),
        is_whole=body.is_whole,
    )
    return response, body.at


def _head(head: bytes, status_line: re.Pattern[bytes]) -> tuple[int, bytes, Fields]:
    line, *lines = head.split(b"\r\n")
    match = status_line.fullmatch(line)
    if match is None:
        raise FaultError(f"status line {line!r}")
    return int(match[1]), match[2] or b"", read_fields(lines)


class _Body:
    def __init__(self, data: bytes, at: int, *, is_closed: bool, is_proxy: bool) -> None:
        self._data = data
        self._is_closed = is_closed
        self._is_proxy = is_proxy
        self.at = at
        self.content = b""
        self.trailers: Fields = ()
        self.is_whole = True
        self.is_framed = False

    def read(self, fields: Fields, *, is_bare: bool) -> None:
        framing = [(name.lower(), value) for name, value in fields if name.lower() in _FRAMING]
        self.is_framed = bool(framing)
        if len(framing) > 1:
            raise FaultError(f"framed twice: {fields}")
        if is_bare:
            return
        if not framing:
            self._read_until_the_end(fields)
        elif framing[0][0] == b"transfer-encoding" and framing[0][1].lower() == b"chunked":
            chunks = read_chunks(self._data, self.at)
            self.content, self.trailers = bytes(chunks.content), chunks.trailers
            self.is_whole, self.at = chunks.is_whole, chunks.at
        elif framing[0][0] == b"content-length":
            if re.fullmatch(rb"[0-9]+", framing[0][1]) is None:
                raise FaultError(f"length {framing[0][1]!r}")
            length = int(framing[0][1])
            self.content = self._data[self.at : self.at + length]
            self.is_whole = len(self.content) == length
            self.at += length
        else:
            raise FaultError(f"coding {framing[0][1]!r}")

    def _read_until_the_end(self, fields: Fields) -> None:
        connection = [value for name, value in fields if name.lower() == b"connection"]
        if self._is_proxy and connection != [b"close"]:
            raise FaultError(f"no length, and the connection stays: {fields}")
        self.content, self.at, self.is_whole = self._data[self.at :], len(self._data), self._is_closed
