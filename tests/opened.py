"""Keeps the connections of the objects that a store opens, as S3 does."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from dataclasses import replace

import pytest

from dequeuer.sinks.base import Fetch, Payload


class Opened:
    """Counts the objects that were opened and are not closed.

    `keys`: of those whose connection would still be in use: they were read neither to the end nor closed.
    """

    def __init__(self) -> None:
        self.keys: list[str] = []
        # Kept: the event loop closes a generator that nobody refers to, some time later.
        self._bodies: list[AsyncGenerator[bytes, None]] = []

    async def keep(self, key: str, payload: Payload) -> Payload:
        """Return the payload, opened."""
        chunks = self._body(key, payload.chunks)
        self._bodies.append(chunks)
        await anext(chunks)  # as S3 does: before, there would be nothing to close
        return replace(payload, chunks=chunks)

    async def _body(self, key: str, chunks: AsyncIterator[bytes]) -> AsyncGenerator[bytes, None]:
        self.keys.append(key)
        try:
            yield b""
            async for chunk in chunks:
                yield chunk
        finally:
            self.keys.remove(key)


def opened_by(store: Fetch, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let a store keep the connections of what it opens; return the list of `Opened.keys`."""
    opened, get = Opened(), store.get

    async def kept(key: str) -> Payload:
        return await opened.keep(key, await get(key))

    monkeypatch.setattr(store, "get", kept)
    return opened.keys
