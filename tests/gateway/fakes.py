"""Fakes of the store and the queue for the gateway's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from aiohttp import ClientSession, web

from dequeuer.core.errors import StoreUnavailableError
from dequeuer.gateway.application import make_runner
from dequeuer.gateway.queue import NO_ATTRIBUTES
from dequeuer.gateway.service import Gateway
from dequeuer.sinks.base import Check, ListedPage, Payload, unchecked
from tests.fakes import MemoryStore, chunked
from tests.opened import Opened

URL = "http://127.0.0.1:1/1234/the-queue.fifo"
PREFIX = "uid/workloads/api/"
MODIFIED_AT = 1620043200.75  # 2021-05-03T12:00:00.75Z


class Store:
    """A `MemoryStore` whose operations can be made to fail. It counts what is read and streamed.

    `opened` has the keys of the objects whose connection would still be in use: they were read neither to the end nor closed.
    """

    def __init__(self, *, keep_streams: bool = True) -> None:
        self.memory = MemoryStore()
        self.objects = self.memory.objects
        self.journal = self.memory.journal
        self.reads: list[tuple[str, str]] = []
        self._opened = Opened()
        self.opened = self._opened.keys
        self.streamed = 0
        self.largest_chunk = 0
        self._broken: dict[tuple[str, str], Exception] = {}
        self._keep_streams = keep_streams

    def break_at(self, op: str, suffix: str, error: Exception | None = None) -> None:
        """Make an operation fail for keys with this suffix."""
        self._broken[op, suffix] = error or StoreUnavailableError("secret-host: connection refused")

    def mend(self) -> None:
        """End all failures."""
        self._broken.clear()

    def _check(self, op: str, key: str) -> None:
        for (broken_op, suffix), error in self._broken.items():
            if op == broken_op and key.endswith(suffix):
                raise error

    async def get(self, key: str) -> Payload:
        self.reads.append(("get", key))
        self._check("get", key)
        found = await self.memory.get(key)
        return await self._opened.keep(
            key, replace(found, chunks=self._breaking(found.chunks), modified_at=MODIFIED_AT)
        )

    async def _breaking(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in chunks:
            yield chunk
            self._check("stream", "")

    async def list(self, prefix: str) -> Sequence[str]:
        self.reads.append(("list", prefix))
        self._check("list", prefix)
        return await self.memory.list(prefix)

    async def list_page(self, prefix: str, *, after: str = "", token: str = "") -> ListedPage:
        self.reads.append(("list", prefix))
        self._check("list", prefix)
        return await self.memory.list_page(prefix, after=after, token=token)

    async def put(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> None:
        self._check("put", key)
        await self.memory.put(key, body, content_type)

    async def create(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> bool:
        return await self.memory.create(key, body, content_type)

    async def put_stream(
        self,
        key: str,
        body: AsyncIterator[bytes],
        content_type: str,
        *,
        size: int | None = None,
        check: Check = unchecked,
    ) -> bool:
        self._check("put", key)
        whole = bytearray()
        async for chunk in body:
            self.streamed += len(chunk)
            self.largest_chunk = max(self.largest_chunk, len(chunk))
            if self._keep_streams:
                whole += chunk
        await self.memory.put(key, bytes(whole), content_type)
        return True

    async def delete(self, keys: Collection[str]) -> None:
        for key in keys:
            self._check("delete", key)
        await self.memory.delete(keys)

    def names(self) -> AbstractSet[str]:
        """The keys of all objects, without the common prefix."""
        return {key.removeprefix(PREFIX) for key in self.objects}


@dataclass
class FakeQueue:
    """A queue that adds each message to the journal of a store, so that a test can check the order of all writes."""

    store: Store
    sent: list[tuple[str, str]] = field(default_factory=list)
    may_repeat: list[bool] = field(default_factory=list)
    attributes: list[Mapping[str, str]] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    error: Exception | None = None

    async def send(
        self,
        queue_url: str,
        request_id: str,
        body: str,
        *,
        may_repeat: bool,
        attributes: Mapping[str, str] = NO_ATTRIBUTES,
        group: str = "",
    ) -> None:
        if self.error is not None:
            raise self.error
        self.sent.append((queue_url, body))
        self.may_repeat.append(may_repeat)
        self.attributes.append(attributes)
        self.groups.append(group)
        self.store.journal.append(("send", request_id))


def make_gateway(
    store: Store,
    queue: FakeQueue,
    max_payload_bytes: int = 1 << 20,
    inline_bytes: int = 0,
    pause_check_interval_s: float = 0.0,
) -> Gateway:
    return Gateway(
        sink=store,
        reads=store,
        queue=queue,
        cluster_uid="uid",
        max_payload_bytes=max_payload_bytes,
        inline_bytes=inline_bytes,
        pause_check_interval_s=pause_check_interval_s,
    )


async def broken_body(begin: bytes, error: Exception) -> AsyncIterator[bytes]:
    """Yield the beginning in chunks, then raise."""
    async for chunk in chunked(begin):
        yield chunk
    raise error


@asynccontextmanager
async def serving(app: web.Application, **session_options: Any) -> AsyncIterator[ClientSession]:
    """Serve an application as the gateway does; yield a client of it."""
    runner = make_runner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    try:
        async with ClientSession(f"http://{host}:{port}", **session_options) as session:
            yield session
    finally:
        await runner.cleanup()
