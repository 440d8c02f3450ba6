"""Submissions with a key, to gateways whose store and queue fail and wait as a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass, field

from dequeuer.gateway.body import MAX_BUFFERED_BYTES
from dequeuer.gateway.idempotency_key import (
    IdempotencyKey,
)
from dequeuer.gateway.model import Submission, SubmitResult
from dequeuer.gateway.queue import NO_ATTRIBUTES
from dequeuer.gateway.service import Gateway
from dequeuer.sinks.base import Check, ListedPage, Payload, unchecked
from tests.fakes import MemoryStore, chunked
from tests.gateway.fakes import PREFIX, URL

KEY = IdempotencyKey(caller="", value="k1")
RECORD = f"{PREFIX}_keys/{KEY.digest}"
BIG = b"x" * (MAX_BUFFERED_BYTES + 100_000)
SMALL = b'{"a":1}'


def submission(payload: bytes, request_id: str, content_type: str = "application/json") -> Submission:
    return Submission(
        api_name="api",
        request_id=request_id,
        queue_url=URL,
        headers=b"{}\n",
        content_type=content_type,
        size=None,
        body=chunked(payload),
    )


@dataclass
class Cloud:
    """A store and a queue. Before each call, `before` may raise or wait; after it, `after`."""

    memory: MemoryStore = field(default_factory=MemoryStore)
    sent: list[str] = field(default_factory=list)
    marked: list[object] = field(default_factory=list)
    before: Callable[[str], None] = lambda _call: None
    pause: Callable[[], float] = lambda: 0.0
    after: Callable[[str], None] = lambda _call: None

    async def _begin(self, call: str) -> None:
        self.before(call)
        if pause := self.pause():
            await asyncio.sleep(pause)

    async def _end(self, call: str) -> None:
        if pause := self.pause():
            await asyncio.sleep(pause)
        self.after(call)

    async def get(self, key: str) -> Payload:
        await self._begin("get")
        found = await self.memory.get(key)
        await self._end("get")
        return found

    async def list(self, prefix: str) -> Sequence[str]:
        await self._begin("list")
        return await self.memory.list(prefix)

    async def list_page(self, prefix: str, *, after: str = "", token: str = "") -> ListedPage:
        await self._begin("list")
        found = await self.memory.list_page(prefix, after=after, token=token)
        await self._end("list")
        return found

    async def put(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> None:
        await self._begin("put")
        await self.memory.put(key, body, content_type, check=check)
        await self._end("put")

    async def create(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> bool:
        await self._begin("create")
        is_written = await self.memory.create(key, body, content_type, check=check)
        await self._end("create")
        return is_written

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
        await self._begin("put_stream")
        is_written = await self.memory.create(key, whole, content_type, check=check)
        await self._end("put_stream")
        return is_written

    async def delete(self, keys: Collection[str]) -> None:
        await self._begin("delete")
        await self.memory.delete(keys)
        await self._end("delete")

    async def send(
        self,
        queue_url: str,
        request_id: str,
        body: str,
        *,
        may_repeat: bool,
        attributes: object = NO_ATTRIBUTES,
        group: str = "",
    ) -> None:
        await self._begin("send")
        self.sent.append(request_id)
        self.marked.append(may_repeat)
        await self._end("send")

    def gateway(self, inline_bytes: int = 0) -> Gateway:
        return Gateway(
            sink=self,
            reads=self,
            queue=self,
            cluster_uid="uid",
            max_payload_bytes=1 << 20,
            inline_bytes=inline_bytes,
        )


async def submit(cloud: Cloud, payload: bytes, request_id: str, inline_bytes: int = 0) -> SubmitResult:
    return await cloud.gateway(inline_bytes).submit_once(submission(payload, request_id), KEY, may_exist=False)
