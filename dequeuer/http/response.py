"""A response that is being received on a connection."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from dequeuer.http.errors import HttpTransportError, MalformedError, ResponseTooLargeError

if TYPE_CHECKING:
    from dequeuer.http.connection import Connection

HIGH_WATER_BYTES = 256 * 1024
"""Bytes that may be buffered unread; with more, reading from the connection stops."""
MAX_FIELDS = 256
"""Header fields of one response."""
MAX_HEAD_BYTES = 64 * 1024
"""Size of the head of a response."""


class Response:
    """The caller must `release` it, read or not: this frees or closes its connection."""

    __slots__ = (
        "_body",
        "_buffered",
        "_high_water",
        "_is_lazy",
        "_joined",
        "_waiter",
        "connection",
        "done",
        "error",
        "fields",
        "repeated",
        "status",
    )

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._body: list[bytes] = []
        self._buffered = 0
        self._is_lazy = False
        self._joined: dict[str, str] | None = None
        self._high_water = HIGH_WATER_BYTES
        self._waiter: asyncio.Future[None] | None = None
        self.fields: dict[bytes, bytes] = {}
        """Header fields by lower-case name. They are decoded on demand, because most are never used."""
        self.repeated: list[tuple[bytes, bytes]] = []
        """Further values of fields that were sent more than once, in order of arrival."""
        self.status = 0
        self.done = False
        self.error: HttpTransportError | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Every field, by lower-case name; the values of a repeated field are joined by commas."""
        if self._joined is None:
            self._joined = {}
            for name in self.fields:
                key = name.decode("latin-1")
                self._joined[key] = self.field(key) or ""
        return self._joined

    def field(self, name: str) -> str | None:
        """Return one field, `name` in lower case; the values of a repeated field are joined by commas."""
        key = name.encode("latin-1")
        value = self.fields.get(key)
        if value is None:
            return None
        if self.repeated:
            value = b", ".join([value, *(more for other, more in self.repeated if other == key)])
        return value.decode("latin-1")

    async def wait_for_head(self, timeout_s: float) -> None:
        """Return when status and headers have arrived. Raises `HttpTransportError`."""
        ends_at = self.connection.loop.time() + timeout_s
        while not self.status and self.error is None:
            await self._wait_for_data(ends_at)
        if self.error is not None and not self.status:
            raise self.error

    async def read(self, limit: int, timeout_s: float) -> bytes:
        """Return the whole body, of `limit` bytes at most. `timeout_s`: for each read. Raises `HttpTransportError`."""
        self._high_water = limit
        while not self.done and self._buffered <= limit:
            if self.error is not None:
                raise self.error
            self.connection.resume_reading()
            await self._wait_for_data(self.connection.loop.time() + timeout_s)
        if self._buffered > limit:
            raise ResponseTooLargeError(f"a response of more than {limit} bytes")
        body = self._body
        return body[0] if len(body) == 1 else b"".join(body)

    def take(self) -> bytes | None:
        """Return the bytes of the body that have arrived; None: none since the last call."""
        if not self._body:
            return None
        chunk = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        self._buffered = 0
        if not self._is_lazy:
            self.connection.resume_reading()
        return chunk

    def read_lazily(self) -> None:
        """Read from the connection only while a caller waits for bytes: one chunk is in memory at a time, not two."""
        self._is_lazy = True
        self._high_water = 0
        if self._body and not self.done:
            self.connection.pause_reading()

    async def next_chunk(self, timeout_s: float) -> bytes:
        """Return the next bytes of the body, at least one; `b""`: the body has ended. Raises `HttpTransportError`.

        `timeout_s`: for the first byte.
        """
        ends_at = self.connection.loop.time() + timeout_s
        while not self._body:
            if self.done:
                return b""
            if self.error is not None:
                raise self.error
            self.connection.resume_reading()
            await self._wait_for_data(ends_at)
        return self.take() or b""

    async def chunks(self, timeout_s: float) -> AsyncGenerator[bytes, None]:
        """Yield the body as it arrives. Raises `HttpTransportError`.

        `timeout_s`: the longest wait for the next byte; the time between two reads does not count.
        """
        while chunk := await self.next_chunk(timeout_s):
            yield chunk

    def release(self) -> None:
        """Free the connection. It is closed if the response was not read to its end."""
        self.connection.finish(self)

    async def _wait_for_data(self, ends_at: float) -> None:
        connection = self.connection
        self._waiter = connection.loop.create_future()
        connection.deadline = ends_at
        try:
            await self._waiter
        finally:
            connection.deadline = math.inf
            self._waiter = None

    # Called by the connection.

    def wake(self) -> None:
        """Wake the waiting reader: bytes have arrived, or the response has ended or failed."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def check_head(self, *, may_be_long: bool) -> None:
        """Raise `MalformedError` for too many or too large fields. `may_be_long`: the size has to be counted."""
        if len(self.fields) + len(self.repeated) > MAX_FIELDS or (
            may_be_long
            and sum(len(name) + len(value) for name, value in (*self.fields.items(), *self.repeated)) > MAX_HEAD_BYTES
        ):
            raise MalformedError("a response with a head that is too large")

    def append_body(self, chunk: bytes) -> bool:
        """Add a part of the body; return whether reading has to stop."""
        self._body.append(chunk)
        self._buffered += len(chunk)
        return self._buffered > self._high_water
