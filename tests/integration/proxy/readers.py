"""How three servers read requests: h11 (hypercorn, uvicorn), httptools (uvicorn) and the parser of aiohttp in Python."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeAlias

import h11
import httptools
from aiohttp.base_protocol import BaseProtocol
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_parser import HttpRequestParserPy

Read: TypeAlias = tuple[bytes, bytes, bytes]
"""Method, target, body."""
LIMIT_BYTES = 2**20


class RefusedError(Exception):
    """The server refuses the bytes."""


def read_h11(data: bytes) -> list[Read]:
    """Read as h11 does."""
    requests: list[Read] = []
    while data:
        connection = h11.Connection(h11.SERVER, max_incomplete_event_size=LIMIT_BYTES)
        connection.receive_data(data)
        body = b""
        head: h11.Request | None = None
        try:
            while not isinstance(event := connection.next_event(), h11.EndOfMessage):
                if isinstance(event, h11.Request):
                    head = event
                elif isinstance(event, h11.Data):
                    body += event.data
                else:
                    return requests
        except h11.RemoteProtocolError as error:
            raise RefusedError(str(error)) from error
        assert head is not None
        requests.append((head.method, head.target, body))
        data = connection.trailing_data[0]
    return requests


class _Callbacks:
    def __init__(self) -> None:
        self.requests: list[Read] = []
        self._target, self._body = b"", b""
        self.parser = httptools.HttpRequestParser(self)

    def on_message_begin(self) -> None:
        self._target, self._body = b"", b""

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        self.requests.append((self.parser.get_method(), self._target, self._body))


def read_httptools(data: bytes) -> list[Read]:
    """Read as uvicorn does with httptools. Methods that it does not know are refused."""
    requests: list[Read] = []
    while data:
        callbacks = _Callbacks()
        try:
            callbacks.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            requests += callbacks.requests
            data = data[upgrade.args[0] :]
            continue
        except httptools.HttpParserError as error:
            raise RefusedError(str(error)) from error
        return requests + callbacks.requests
    return requests


def read_aiohttp(data: bytes) -> list[Read]:
    """Read as aiohttp does without its extension in C. It takes methods for upper case."""
    loop = asyncio.new_event_loop()
    try:
        parser = HttpRequestParserPy(
            BaseProtocol(loop),
            loop,
            LIMIT_BYTES,
            max_line_size=LIMIT_BYTES,
            max_field_size=LIMIT_BYTES,
            max_headers=1000,
        )
        messages, _, _ = parser.feed_data(data)
        requests = []
        for message, payload in messages:
            if payload.exception() is not None:
                raise RefusedError(str(payload.exception()))
            # What has no end is no request yet.
            if payload.is_eof():
                body = payload.read_nowait(-1)
                requests.append((message.method.encode(), message.path.encode("utf-8", "surrogateescape"), body))
    except HttpProcessingError as error:
        raise RefusedError(str(error)) from error
    finally:
        loop.close()
    return requests


READERS: dict[str, Callable[[bytes], list[Read]]] = {
    "h11": read_h11,
    "httptools": read_httptools,
    "aiohttp": read_aiohttp,
}
