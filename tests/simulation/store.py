"""A simulated object store, and its client in one sidecar."""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextvars import ContextVar
from typing import TypeVar

from dequeuer.core import clock
from dequeuer.core.errors import StoreDeniedError, StoreMissingError, StoreUnavailableError
from dequeuer.core.events import Observer, StoreCalled, StoreOp
from dequeuer.formats.failure import decode_failure
from dequeuer.sinks.base import Check, ListedObject, ListedPage, Payload, unchecked
from tests.history.records import Op, Record
from tests.simulation.clock import EPOCH_S
from tests.simulation.network import Connection

T = TypeVar("T")

PREFIX = "uid/workloads/api/"
RESULT, FAILED = "result.json", "status/failed"
INDEX = "_cancel"
"""Of the requests that are to be cancelled."""
CLAIMS = "_keys"
"""Of keys: which request has a key, and who submits it."""
PAUSE = "_paused"
"""The object that says that the API is paused."""
DELIVERY: ContextVar[str] = ContextVar("delivery", default="")
"""The receipt of the message that the running task handles."""
_MESSAGE = re.compile(r"(.*)\.[0-9]+")


def unavailable_error() -> Exception:
    """Return an error of the unavailable store. 2 % are denials, as while credentials are rotated."""
    return denied_error() if random.random() < 0.02 else StoreUnavailableError("unavailable")


def denied_error() -> Exception:
    """Return the error of the store for a missing permission; a retry does not help."""
    return StoreDeniedError("refused", "AccessDenied")


class Objects:
    """The server."""

    def __init__(self, record: Callable[[Record], None]) -> None:
        self._record = record
        self.bodies: dict[str, dict[str, bytes]] = {}
        self.written_at: dict[tuple[str, str], float] = {}
        """Loop time at which each object of a request was written last; not of those that were submitted."""
        self.cancelled_at: dict[str, float] = {}

    def submit(self, ref: str, bodies: Mapping[str, bytes]) -> None:
        """Store the objects of a new request, as the gateway does."""
        self.bodies[ref] = {"status/in_queue": b"", **bodies}

    def write(self, sidecar: str, delivery: str, key: str, body: bytes) -> None:
        """Write an object."""
        ref, name = split(key)
        self.bodies.setdefault(ref, {})[name] = body
        self.written_at[ref, name] = asyncio.get_running_loop().time()
        self._done("write", sidecar, delivery, ref, name, body)

    def create(self, sidecar: str, delivery: str, key: str, body: bytes) -> bool:
        """Write an object unless it exists. Return whether it was written."""
        ref, name = split(key)
        if name in self.bodies.get(ref, ()):
            return False
        self.write(sidecar, delivery, key, body)
        return True

    def cancel(self, ref: str) -> None:
        """Ask for the cancellation of a request that has not ended, as the gateway does."""
        if not {"status/completed", "status/failed"} & self.bodies[ref].keys():
            self._record(Record(at=asyncio.get_running_loop().time(), what="cancelled", ref=ref))
            self.bodies[ref]["cancel"] = b""
            self.bodies.setdefault(INDEX, {})[ref] = b""
            self.cancelled_at[ref] = asyncio.get_running_loop().time()

    def set_paused(self, *, is_paused: bool) -> None:
        """Pause the API or resume it, as the gateway does."""
        if is_paused:
            self.bodies[PAUSE] = {"": b""}
        else:
            self.bodies.pop(PAUSE, None)

    def delete(self, sidecar: str, delivery: str, keys: Collection[str]) -> None:
        """Delete objects."""
        for ref, name in map(split, keys):
            self.bodies.get(ref, {}).pop(name, None)
            self._done("delete", sidecar, delivery, ref, name, b"")

    def _done(self, op: Op, sidecar: str, delivery: str, ref: str, name: str, body: bytes) -> None:
        now = asyncio.get_running_loop().time()
        self._record(
            Record(
                at=now,
                what="done",
                op=op,
                sidecar=sidecar,
                ref=ref,
                delivery=delivery,
                name=name,
                digest=digest_of(ref, name, body),
            )
        )


class StoreClient:
    """The client of one sidecar. It implements `Store`."""

    def __init__(
        self,
        objects: Objects,
        sidecar: str,
        connection: Connection,
        record: Callable[[Record], None],
        observer: Observer,
    ) -> None:
        self._observer = observer
        self._objects = objects
        self._sidecar = sidecar
        self._connection = connection
        self._record = record
        self._seen: set[str] = set()

    async def _send(self, op: StoreOp, key: str, effect: Callable[[], T]) -> T:
        began_at = clock.monotonic()
        try:
            result = await self._connection.send(f"s3:{op}", effect)  # type: ignore[arg-type]  # one of the literals
        except StoreDeniedError as error:
            took_s = clock.monotonic() - began_at
            self._observer(StoreCalled(op=op, duration_s=took_s, error="denied", code=error.code, key=key))
            raise
        self._observer(StoreCalled(op=op, duration_s=clock.monotonic() - began_at, error=None, key=key))
        return result

    async def get(self, key: str) -> Payload:
        ref, name = split(key)
        body = await self._send("get", key, lambda: self._objects.bodies.get(ref, {}).get(name))
        if body is None:
            raise StoreMissingError(key)
        modified_at = EPOCH_S + self._objects.written_at.get((ref, name), 0.0)
        return Payload(size=len(body), content_type=None, chunks=self._chunks(body), modified_at=modified_at)

    async def _chunks(self, body: bytes) -> AsyncIterator[bytes]:
        half = len(body) // 2
        yield body[:half]
        if random.random() < self._connection.rates.unavailable:
            raise StoreUnavailableError("the payload broke off")
        yield body[half:]

    async def list(self, prefix: str) -> Sequence[str]:
        ref, name = split(prefix)
        if name == RESULT:
            exists = await self._send("list", prefix, lambda: RESULT in self._objects.bodies.get(ref, ()))
            return [prefix] if exists else []
        names = await self._send("list", prefix, lambda: sorted(self._objects.bodies.get(ref, ())))
        return [f"{PREFIX}{ref}/{name}" for name in names]

    async def list_page(self, prefix: str, *, after: str = "", token: str = "") -> ListedPage:
        assert (prefix, after, token) == (f"{PREFIX}{INDEX}/", "", "")
        refs = await self._send("list", prefix, lambda: sorted(self._objects.bodies.get(INDEX, ())))
        for ref in refs:
            if ref not in self._seen:
                self._seen.add(ref)
                now = asyncio.get_running_loop().time()
                self._record(Record(at=now, what="saw", sidecar=self._sidecar, ref=ref))
        return ListedPage(
            objects=[
                ListedObject(
                    key=f"{prefix}{ref}", size=0, e_tag="", modified_at=EPOCH_S + self._objects.cancelled_at[ref]
                )
                for ref in refs
            ],
            next_token="",
        )

    async def put(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> None:
        check()
        delivery = self._asked("write", key, body)
        await self._send("put", key, lambda: self._objects.write(self._sidecar, delivery, key, body))

    async def create(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> bool:
        check()
        delivery = self._asked("write", key)
        return await self._send("put", key, lambda: self._objects.create(self._sidecar, delivery, key, body))

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
        check()
        delivery = self._asked("write", key)
        return await self._send("put", key, lambda: self._objects.create(self._sidecar, delivery, key, whole))

    async def check_write(self, key: str) -> None:
        await self._send("put", key, lambda: None)

    async def delete(self, keys: Collection[str]) -> None:
        delivery = ""
        for key in keys:
            delivery = self._asked("delete", key)
        await self._send("delete", "", lambda: self._objects.delete(self._sidecar, delivery, keys))

    def _asked(self, op: Op, key: str, body: bytes = b"") -> str:
        ref, name = split(key)
        delivery, now = DELIVERY.get(), asyncio.get_running_loop().time()
        self._record(
            Record(
                at=now,
                what="asked",
                op=op,
                sidecar=self._sidecar,
                ref=ref,
                delivery=delivery,
                name=name,
                digest=digest_of(ref, name, body) if name == FAILED else "",
            )
        )
        return delivery


def split(key: str) -> tuple[str, str]:
    """Return the request and the name of the object. A key outside the prefix is a bug, and ends the run."""
    if not key.startswith(PREFIX):
        raise AssertionError(f"{key} is outside of {PREFIX}")
    ref, _, name = key.removeprefix(PREFIX).partition("/")
    message = _MESSAGE.fullmatch(ref)
    # The result of a message of any queue has the id of the message.
    return (message[1], RESULT) if message and not name else (ref, name)


def digest_of(ref: str, name: str, body: bytes) -> str:
    """Return what a record of an object says of its content."""
    if ref == CLAIMS:
        claim = json.loads(body)
        return f"{claim['state']} {claim['id']}"
    if name == FAILED:
        return decode_failure(body).code or ""
    return digest(body) if name == RESULT else ""


def digest(body: bytes) -> str:
    """Return the content itself as its digest: bodies of the simulation are short."""
    return body.decode()
