"""A response that is arriving on a connection."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

from dequeuer.http.errors import HttpTransportError, MalformedError, ResponseTooLargeError

if TYPE_CHECKING:
    from dequeuer.http.connection import Connection

HIGH_WATER_BYTES = 256 * 1024
"""So much may wait to be read before the sender is held back."""
MAX_FIELDS = 256
"""In one response."""
MAX_HEAD_BYTES = 64 * 1024
"""Of the head of a response."""


class Response:
    """`release` it, read or not: that is what frees or ends its connection."""

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
        """The fields of the head by lower-case name. Decoded only when somebody asks: most never are."""
        self.repeated: list[tuple[bytes, bytes]] = []
        """Further values of fields that were sent more than once, in the order in which they came."""
        self.status = 0
        self.done = False
        self.error: HttpTransportError | None = None

    @property
    def headers(self) -> dict[str, str]:
        """Every field, by lower-case name; the values of a repeated one are joined by commas."""
        if self._joined is None:
            self._joined = {}
            for name in self.fields:
                key = name.decode("latin-1")
                self._joined[key] = self.field(key) or ""
        return self._joined

    def field(self, name: str) -> str | None:
        """Return one field, `name` in lower case; the values of a repeated one are joined by commas."""
        key = name.encode("latin-1")
        value = self.fields.get(key)
        if value is None:
            return None
        if self.repeated:
            value = b", ".join([value, *(more for other, more in self.repeated if other == key)])
        return value.decode("latin-1")

    async def wait_for_head(self, timeout_s: float) -> None:
        """Return when status and headers are there. Raises `HttpTransportError`."""
        ends_at = self.connection.loop.time() + timeout_s
        while not self.status and self.error is None:
            await self._wait_for_data(ends_at)
        if self.error is not None and not self.status:
            raise self.error

    async def read(self, limit: int, timeout_s: float) -> bytes:
        """Return the whole body. `timeout_s`: without a byte. Raises `HttpTransportError`."""
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
        """Return what has arrived of the body; None: nothing yet."""
        if not self._body:
            return None
        chunk = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        self._buffered = 0
        if not self._is_lazy:
            self.connection.resume_reading()
        return chunk

    def read_lazily(self) -> None:
        """Read from the connection only while somebody waits for it: one chunk is in memory at a time, not two."""
        self._is_lazy = True
        self._high_water = 0
        if self._body and not self.done:
            self.connection.pause_reading()

    async def next_chunk(self, timeout_s: float) -> bytes:
        """Return what has arrived of the body, at least one byte; nothing: that was all. Raises `HttpTransportError`.

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
        """Free the connection; one whose response was not read to its end is closed."""
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

    # What its connection tells it.

    def wake(self) -> None:
        """Something has changed."""
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def check_head(self, *, may_be_long: bool) -> None:
        """Raise `MalformedError` for a flood of fields. `may_be_long`: the size is worth counting."""
        if len(self.fields) + len(self.repeated) > MAX_FIELDS or (
            may_be_long
            and sum(len(name) + len(value) for name, value in (*self.fields.items(), *self.repeated)) > MAX_HEAD_BYTES
        ):
            raise MalformedError("a response with a head without end")

    def append_body(self, chunk: bytes) -> bool:
        """Take a part of the body; True when the sender is to be held back."""
        self._body.append(chunk)
        self._buffered += len(chunk)
        return self._buffered > self._high_water
