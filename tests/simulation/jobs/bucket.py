"""Simulated buckets, and the client that one process has of one of them."""

from __future__ import annotations

import random
import zlib
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from typing import Final, TypeVar

from dequeuer.core import clock
from dequeuer.core.errors import ObjectReplacedError, StoreMissingError
from dequeuer.core.events import Observer, StoreCalled, StoreOp
from dequeuer.sinks.base import Check, ListedObject, ListedPage, Payload, unchecked
from tests.simulation.network import Action, Connection

T = TypeVar("T")

PAGE: Final = 7
"""Objects of a page of a listing: jobs of a simulation are small."""


class Bucket:
    """The server. `on_write` is told of every object that is written."""

    def __init__(self, on_write: Callable[[str, bytes], None] = lambda _key, _body: None) -> None:
        self.bodies: dict[str, bytes] = {}
        self._on_write = on_write

    def put(self, key: str, body: bytes) -> None:
        """Write an object."""
        self.bodies[key] = body
        self._on_write(key, body)

    def create(self, key: str, body: bytes) -> bool:
        """Write an object unless there is one; return whether it was written."""
        if key in self.bodies:
            return False
        self.put(key, body)
        return True

    def delete(self, keys: Collection[str]) -> None:
        """Delete objects."""
        for key in keys:
            self.bodies.pop(key, None)

    def page(self, prefix: str, after: str) -> ListedPage:
        """Return the objects that follow a key."""
        keys = sorted(key for key in self.bodies if key.startswith(prefix) and key > after)
        return ListedPage(
            objects=[self.listed(key) for key in keys[:PAGE]], next_token=keys[PAGE - 1] if len(keys) > PAGE else ""
        )

    def listed(self, key: str) -> ListedObject:
        """Return an object as a listing shows it."""
        body = self.bodies[key]
        return ListedObject(key=key, size=len(body), e_tag=f"{zlib.crc32(body):x}")

    def keys(self, prefix: str) -> list[str]:
        """Return the keys below a prefix."""
        return sorted(key for key in self.bodies if key.startswith(prefix))

    def below(self, prefix: str) -> dict[str, bytes]:
        """Return the objects below a prefix, by the rest of their keys."""
        return {key.removeprefix(prefix): body for key, body in self.bodies.items() if key.startswith(prefix)}


class BucketClient:
    """`ObjectStore` of one process."""

    def __init__(self, bucket: Bucket, connection: Connection, observer: Observer) -> None:
        self._bucket = bucket
        self._connection = connection
        self._observer = observer

    async def _send(self, op: StoreOp, action: Action, key: str, effect: Callable[[], T]) -> T:
        began_at = clock.monotonic()
        result = await self._connection.send(action, effect)
        self._observer(StoreCalled(op=op, duration_s=clock.monotonic() - began_at, error=None, key=key))
        return result

    async def get(self, key: str) -> Payload:
        body = await self._send("get", "s3:get", key, lambda: self._bucket.bodies.get(key))
        if body is None:
            raise StoreMissingError(key)
        return Payload(size=len(body), content_type=None, chunks=_chunks(body), modified_at=clock.wall())

    async def list(self, prefix: str) -> Sequence[str]:
        return await self._send("list", "s3:list", prefix, lambda: self._bucket.keys(prefix))

    async def list_page(self, prefix: str, *, after: str = "", token: str = "") -> ListedPage:
        return await self._send("list", "s3:list", prefix, lambda: self._bucket.page(prefix, token or after))

    async def read_range(self, listed: ListedObject, start: int, length: int) -> bytes:
        def read() -> bytes | None:
            body = self._bucket.bodies.get(listed.key)
            if body is not None and self._bucket.listed(listed.key) != listed:
                raise ObjectReplacedError(listed.key)
            # Fewer than it was asked for, as when a connection breaks.
            return None if body is None else body[start : start + random.randint(1, length)]

        part = await self._send("get", "s3:get", listed.key, read)
        if part is None:
            raise StoreMissingError(listed.key)
        return part

    async def put(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> None:
        check()
        await self._send("put", "s3:put", key, lambda: self._bucket.put(key, body))

    async def create(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> bool:
        check()
        return await self._send("put", "s3:put", key, lambda: self._bucket.create(key, body))

    async def put_stream(
        self,
        key: str,
        body: AsyncIterator[bytes],
        content_type: str,
        *,
        size: int | None = None,
        check: Check = unchecked,
    ) -> bool:
        whole = b"".join([chunk async for chunk in body])
        return await self.create(key, whole, content_type, check=check)

    async def check_write(self, key: str) -> None:
        await self._send("put", "s3:put", key, lambda: None)

    async def delete(self, keys: Collection[str]) -> None:
        await self._send("delete", "s3:delete", "", lambda: self._bucket.delete(keys))


async def _chunks(body: bytes) -> AsyncIterator[bytes]:
    yield body[: len(body) // 2]
    yield body[len(body) // 2 :]
