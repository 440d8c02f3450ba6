"""The protocol of an object store."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

Check: TypeAlias = Callable[[], None]
"""Called directly before each request that makes an object visible. If it raises, nothing is written."""


def unchecked() -> None:
    """A `Check` that allows every write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """An object that is being read.

    Attributes:
        size: of the whole object, bytes.
        content_type: as stored; None when the store has none.
        chunks: the content; can be read once. Reading raises `StoreUnavailableError`.
        modified_at: when it was written, seconds since the epoch.
    """

    size: int
    content_type: str | None
    chunks: AsyncIterator[bytes]
    modified_at: float

    async def read(self, max_bytes: int) -> bytes | None:
        """Return the whole content; None when it is larger than `max_bytes`: then nothing is read, and it is closed.

        Raises `StoreUnavailableError`.
        """
        if self.size > max_bytes:
            await self.close()
            return None
        return b"".join([chunk async for chunk in self.chunks])

    async def close(self) -> None:
        """Free the connection of an object of which nothing more is read."""
        if isinstance(self.chunks, AsyncGenerator):
            await self.chunks.aclose()


class SingleChunk:
    """The content of an object that was read whole, as a stream of one chunk."""

    __slots__ = ("_body",)

    def __init__(self, body: bytes) -> None:
        self._body = body

    def __aiter__(self) -> SingleChunk:
        return self

    async def __anext__(self) -> bytes:
        body, self._body = self._body, b""
        if not body:
            raise StopAsyncIteration
        return body


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedObject:
    """An object as a listing shows it.

    Attributes:
        key: of the object.
        size: bytes.
        e_tag: changes when another object is written with the same key; "" when the store has none.
        modified_at: when it was written, seconds since the epoch; 0 when the store does not say.
    """

    key: str
    size: int
    e_tag: str
    modified_at: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPage:
    """One page of a listing. `next_token` asks for the next page; "": this is the last one."""

    objects: Sequence[ListedObject]
    next_token: str


class Listing(Protocol):
    """Lists any number of objects. Raises `StoreDeniedError`, `StoreUnavailableError`."""

    async def list_page(self, prefix: str, *, after: str = "", token: str = "") -> ListedPage:
        """Return a page of the objects below `prefix`, in the order of the UTF-8 bytes of their keys.

        Args:
            prefix: the keys begin with it; "" lists the whole bucket.
            after: a key; the listing begins with the one that follows it. Only for the first page.
            token: of the page before.
        """


class RangedReads(Protocol):
    """Reads parts of objects. Raises `StoreMissingError`, `StoreDeniedError`, `StoreUnavailableError`."""

    async def read_range(self, listed: ListedObject, start: int, length: int) -> bytes:
        """Return the bytes from `start` on: `length` at most, at least one. The range lies inside the object.

        Like reading from a file, it may return fewer bytes: those that came before a connection broke.

        Raises:
            ObjectReplacedError: the object is not the listed one any more.
        """


class Fetch(Protocol):
    """Reads. Raises `StoreMissingError`, `StoreDeniedError`, `StoreUnavailableError`."""

    async def get(self, key: str) -> Payload:
        """Open an object; its content is streamed."""

    async def list(self, prefix: str) -> Sequence[str]:
        """Return the keys below `prefix`, at most 1,000."""


class Deletions(Protocol):
    """Deletes. Raises `StoreDeniedError`, `StoreUnavailableError`."""

    async def delete(self, keys: Collection[str]) -> None:
        """Delete objects. Missing objects are not an error."""


class Sink(Deletions, Protocol):
    """Writes. Raises `StoreDeniedError`, `StoreUnavailableError`."""

    async def put(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> None:
        """Write an object. When this returns, it is durable."""

    async def create(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> bool:
        """Write an object unless the key exists; return whether it was written."""

    async def put_stream(
        self,
        key: str,
        body: AsyncIterator[bytes],
        content_type: str,
        *,
        size: int | None = None,
        check: Check = unchecked,
    ) -> bool:
        """Write an object in bounded memory unless the key exists; return whether it was written.

        When `body` or `check` raises, nothing is written. `body` is read once, so the caller cannot retry.

        Args:
            key: of the object.
            body: its bytes.
            content_type: stored with it.
            size: bytes of `body`; None: unknown. A body of known size is streamed unbuffered when the buffers are full.
            check: see `Check`.
        """


class Store(Fetch, Sink, Protocol):
    """Reading and writing, and a check of the permission to write."""

    async def check_write(self, key: str) -> None:
        """Check the permission to write `key`. Creates and changes no object.

        Raises `StoreDeniedError`, `StoreUnavailableError`.
        """


class ObjectStore(Store, Listing, RangedReads, Protocol):
    """A store with all that there is: jobs list and read buckets that they do not write."""
