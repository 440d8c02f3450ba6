"""Sends the bytes of requests to a port, and reads the responses: the same to a container directly and through the proxy."""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from typing import BinaryIO, Self

from tests.integration.waiting import DEADLINE_S

FRAMING = {"connection", "content-length", "transfer-encoding", "keep-alive"}
"""Fields of one connection, and `Date` below: the proxy writes its own."""
WITHOUT_BODY = {204, 304}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A response.

    Attributes:
        status: line without the version.
        fields: in their order, without those of the connection and the date.
        body: without its framing.
        trailers: in their order.
        interim: responses of 1xx before it.
        ended: whether the server closed the connection after it.
    """

    status: str
    fields: tuple[tuple[str, str], ...]
    body: bytes
    trailers: tuple[tuple[str, str], ...] = ()
    interim: tuple[Answer, ...] = field(default=())
    ended: bool = False


class Conversation:
    """One connection."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), DEADLINE_S)
        self._reader: BinaryIO = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reader.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def line(self) -> str:
        """Return the next line without its end; OSError when the connection ends before."""
        line = self._reader.readline()
        if not line.endswith(b"\r\n"):
            raise ConnectionError(f"the connection ended after {line!r}")
        return line[:-2].decode("latin-1")

    def fields(self) -> list[tuple[str, str]]:
        """Return the fields up to an empty line."""
        found = []
        while line := self.line():
            name, _, value = line.partition(": ")
            found.append((name, value))
        return found

    def chunk(self) -> bytes:
        """Return the next chunk; b"" is the last one, before the trailers."""
        size = int(self.line(), 16)
        data = self.exactly(size)
        if size:
            assert self.line() == ""
        return data

    def exactly(self, size: int) -> bytes:
        data = self._reader.read(size)
        if len(data) < size:
            raise ConnectionError(f"the connection ended {size - len(data)} bytes too early")
        return data

    def head(self) -> tuple[str, list[tuple[str, str]]]:
        """Return status and reason, and the fields."""
        version, _, status = self.line().partition(" ")
        assert version in {"HTTP/1.1", "HTTP/1.0"}, version
        return status, self.fields()

    def answer(self, method: str = "GET") -> Answer:
        """Return the next response."""
        interim = []
        status, fields = self.head()
        while status.startswith("1"):
            interim.append(Answer(status=status, fields=_end_to_end(fields), body=b""))
            status, fields = self.head()
        by_name = {name.lower(): value for name, value in fields}
        trailers: list[tuple[str, str]] = []
        if method == "HEAD" or int(status[:3]) in WITHOUT_BODY:
            body = b""
        elif by_name.get("transfer-encoding") == "chunked":
            pieces = []
            while piece := self.chunk():
                pieces.append(piece)
            body, trailers = b"".join(pieces), self.fields()
        elif "content-length" in by_name:
            body = self.exactly(int(by_name["content-length"]))
        else:
            body = self._reader.read()
        return Answer(
            status=status,
            fields=_end_to_end(fields),
            body=body,
            trailers=tuple(trailers),
            interim=tuple(interim),
            ended=by_name.get("connection", "").lower() == "close" and not self._reader.read(),
        )


def _end_to_end(fields: list[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple((name, value) for name, value in fields if name.lower() not in {*FRAMING, "date"})


def converse(port: int, *parts: bytes, method: str = "GET") -> Answer:
    """Send a request, and return its response."""
    with Conversation(port) as connection:
        for part in parts:
            connection.send(part)
        return connection.answer(method)
