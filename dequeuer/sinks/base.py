"""What the core asks of an object store."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeAlias

Check: TypeAlias = Callable[[], None]
"""Asked directly before each request that makes an object visible. What it raises ends the write."""


def unchecked() -> None:
    """Be a check that lets everything through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """An object that is being read.

    Attributes:
        size: bytes in all.
        content_type: as stored; None when the store has none.
        chunks: the content; can be read once. Raises `StoreUnavailableError`.
        modified_at: when it was written, seconds since the epoch.
    """

    size: int
    content_type: str | None
    chunks: AsyncIterator[bytes]
    modified_at: float


class Fetch(Protocol):
    """Reads. Raises `StoreMissingError`, `StoreDeniedError`, `StoreUnavailableError`."""

    async def get(self, key: str) -> Payload:
        """Open an object; its content is streamed."""

    async def list(self, prefix: str) -> Sequence[str]:
        """Return the keys below `prefix`, at most 1,000."""


class Sink(Protocol):
    """Writes. Raises `StoreDeniedError`, `StoreUnavailableError`."""

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        """Write an object whole. Returned means durable."""

    async def create(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> bool:
        """Write an object unless there is one already; tell whether it was written."""

    async def put_stream(
        self,
        key: str,
        body: AsyncIterator[bytes],
        content_type: str,
        *,
        size: int | None = None,
        check: Check = unchecked,
    ) -> bool:
        """Write an object in bounded memory unless there is one already; tell whether it was written.

        When `body` or `check` raises, nothing is written. `body` is read once: a failure is final.

        Args:
            key: of the object.
            body: its bytes.
            content_type: stored with it.
            size: bytes of `body`, when known; known sizes are streamed without buffering where necessary.
            check: see `Check`.
        """

    async def delete(self, keys: Collection[str]) -> None:
        """Delete objects; those already gone are no error."""


class Store(Fetch, Sink, Protocol):
    """Both halves of an object store, and a way to ask for permission."""

    async def check_write(self, key: str) -> None:
        """Find out whether `key` may be written. Leaves nothing there, and nothing of what is there is changed.

        Raises `StoreDeniedError`, `StoreUnavailableError`.
        """
