"""In-memory parties of the core's protocols, shared by all unit tests. They keep what they saw."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar
from zlib import crc32

from dequeuer.core.errors import (
    LeaseLostError,
    ObjectReplacedError,
    StoreDeniedError,
    StoreMissingError,
    StoreUnavailableError,
)
from dequeuer.core.events import Event
from dequeuer.core.message import REPEAT_ATTRIBUTE, Message
from dequeuer.sinks.base import Check, ListedObject, ListedPage, Payload, unchecked
from dequeuer.sources.base import Depth, Lease, Source

E = TypeVar("E")


class Recorder:
    """An observer that keeps every event."""

    def __init__(self) -> None:
        self.events: list[Event] = []

    def __call__(self, event: Event) -> None:
        self.events.append(event)

    def of(self, kind: type[E]) -> list[E]:
        """Return the events of one kind, in order."""
        return [event for event in self.events if isinstance(event, kind)]


async def chunked(data: bytes, size: int = 65536) -> AsyncIterator[bytes]:
    """Yield `data` in chunks."""
    for at in range(0, len(data), size):
        yield data[at : at + size]


@dataclass
class MemoryStore:
    """A `Store` in memory.

    `journal` has all writes and deletions in order, as `("put", key)` and `("delete", key)`.
    Methods in `refused` raise `StoreDeniedError`. Each call first raises the next of `failures`, while there are some.
    """

    objects: dict[str, tuple[bytes, str | None]] = field(default_factory=dict)
    journal: list[tuple[str, str]] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)

    refused: set[str] = field(default_factory=set)

    page_size: int = 1000
    """Objects of a page, of which `list` returns the first."""
    modified_at: float = 1_620_043_200.0
    """Of all objects, as listings show it."""

    range_limit: int | None = None
    """The most bytes that `read_range` returns; None: as many as it was asked for."""

    def _maybe_fail(self, op: str) -> None:
        if op in self.refused:
            raise StoreDeniedError(f"{op} refused by the test", "AccessDenied")
        if self.failures:
            raise self.failures.pop(0)

    def refuse(self, *ops: str) -> None:
        """Refuse every call of these methods from now on."""
        self.refused |= set(ops)

    def allow(self) -> None:
        """End all refusals."""
        self.refused.clear()

    def fail(self, times: int = 1, error: Exception | None = None) -> None:
        """Make the next calls fail."""
        self.failures.extend([error or StoreUnavailableError("the fake store is unavailable")] * times)

    async def get(self, key: str) -> Payload:
        self._maybe_fail("get")
        if key not in self.objects:
            raise StoreMissingError(key)
        body, content_type = self.objects[key]
        return Payload(size=len(body), content_type=content_type, chunks=chunked(body), modified_at=time.time())

    async def list(self, prefix: str) -> Sequence[str]:
        self._maybe_fail("list")
        return sorted(key for key in self.objects if key.startswith(prefix))[: self.page_size]

    async def list_page(self, prefix: str, *, after: str = "", token: str = "") -> ListedPage:
        self._maybe_fail("list_page")
        begin = (token or after).encode()
        keys = sorted((key for key in self.objects if key.startswith(prefix)), key=str.encode)
        left = [key for key in keys if key.encode() > begin]
        page = left[: self.page_size]
        return ListedPage(
            objects=[self.listed(key) for key in page], next_token=page[-1] if len(left) > len(page) else ""
        )

    async def read_range(self, listed: ListedObject, start: int, length: int) -> bytes:
        self._maybe_fail("read_range")
        if listed.key not in self.objects:
            raise StoreMissingError(listed.key)
        if self.listed(listed.key) != listed:
            raise ObjectReplacedError(listed.key)
        assert 0 <= start < listed.size
        assert length > 0
        return self.objects[listed.key][0][start : start + min(length, self.range_limit or length)]

    def listed(self, key: str) -> ListedObject:
        """Return an object as a listing shows it."""
        body = self.objects[key][0]
        return ListedObject(key=key, size=len(body), e_tag=f'"{crc32(body):x}"', modified_at=self.modified_at)

    async def put(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> None:
        check()
        self._maybe_fail("put")
        self.objects[key] = (body, content_type)
        self.journal.append(("put", key))

    async def create(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> bool:
        check()
        self._maybe_fail("create")
        if key in self.objects:
            return False
        await self.put(key, body, content_type)
        return True

    async def put_stream(
        self,
        key: str,
        body: AsyncIterator[bytes],
        content_type: str,
        *,
        size: int | None = None,
        check: Check = unchecked,
    ) -> bool:
        self._maybe_fail("put_stream")
        whole = b"".join([chunk async for chunk in body])
        if key in self.objects:
            return False
        check()
        await self.put(key, whole, content_type)
        return True

    async def delete(self, keys: Collection[str]) -> None:
        self._maybe_fail("delete")
        for key in keys:
            self.objects.pop(key, None)
            self.journal.append(("delete", key))

    async def check_write(self, key: str) -> None:
        self._maybe_fail("check_write")
        self.journal.append(("check", key))

    def seed(self, entries: Iterable[tuple[str, bytes]], content_type: str | None = None) -> None:
        """Add objects without entries in the journal."""
        self.objects.update({key: (body, content_type) for key, body in entries})


@dataclass
class FakeLease:
    """A lease that records its calls. Each call raises the next of `failures`, while there are some."""

    message: Message
    calls: list[tuple[str, float]] = field(default_factory=list)
    failures: list[Exception] = field(default_factory=list)
    ack_may_return: asyncio.Event | None = None
    """When there is one, `ack` waits for it after its call was recorded: a slow response of the queue."""

    on_release: Callable[[], object] = lambda: None
    source: Source = field(default_factory=lambda: FakeSource())  # noqa: PLW0108 - the class stands below

    async def _record(self, what: str, seconds: float = 0.0) -> None:
        if self.failures:
            raise self.failures.pop(0)
        self.calls.append((what, seconds))

    async def extend(self, seconds: float) -> None:
        await self._record("extend", seconds)

    async def ack(self) -> None:
        await self._record("ack")
        if self.ack_may_return is not None:
            await self.ack_may_return.wait()

    async def release(self, after_s: float = 0.0) -> None:
        await self._record("release", after_s)
        self.on_release()

    @property
    def settled(self) -> list[tuple[str, float]]:
        """The calls without the renewals."""
        return [call for call in self.calls if call[0] != "extend"]


def make_message(body: str = "request-1", receive_count: int = 1, **attributes: str) -> Message:
    """Return a message."""
    return Message(
        id=f"m-{body[:20]}",
        body=body,
        receive_count=receive_count,
        sent_at=None,
        attributes=attributes,
        may_repeat=attributes.get(REPEAT_ATTRIBUTE) == "true",
    )


@dataclass
class FakeSource:
    """A queue whose receives wait until the test adds leases."""

    has_redrive: bool = False
    depths: list[Depth] = field(default_factory=list)
    limits: list[int] = field(default_factory=list)
    copies: list[Lease] = field(default_factory=list)
    responses: asyncio.Queue[Sequence[Lease] | Exception] = field(default_factory=asyncio.Queue)

    def bring(self, *leases: Lease) -> None:
        """Let the next receive return these leases; none: an empty receive."""
        self.responses.put_nowait(leases)

    def fail_receive(self, error: Exception) -> None:
        """Let the next receive fail."""
        self.responses.put_nowait(error)

    async def receive(self, limit: int, *, wait_s: int | None = None) -> Sequence[Lease]:
        self.limits.append(limit)
        if wait_s == 0 and self.responses.empty():
            await asyncio.sleep(0.02)
            return ()
        response = await self.responses.get()
        if isinstance(response, Exception):
            raise response
        for lease in response:
            if isinstance(lease, FakeLease):
                lease.source = self
        return response

    async def depth(self) -> Depth:
        return self.depths.pop(0) if len(self.depths) > 1 else self.depths[0]

    async def copy(self, lease: Lease) -> None:
        self.copies.append(lease)


class OpenFence:
    """A fence that never closes, of a message that was asked for just now."""

    @property
    def asked_at(self) -> float:
        return asyncio.get_running_loop().time()

    def check(self) -> None:
        return

    def release_slot(self) -> None:
        return


class SwitchFence:
    """A fence that the test can close."""

    def __init__(self) -> None:
        self.lost = False
        self.asked_at = asyncio.get_running_loop().time()

    def check(self) -> None:
        if self.lost:
            raise LeaseLostError("lost by the test")

    def release_slot(self) -> None:
        return
