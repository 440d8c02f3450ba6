"""Sidecars and deliverers are killed before and after each of their calls: no webhook is lost, none is made up.

The parts are the real ones; store, outbox, queue and receiver keep what was done to them before the kill. Deliveries of one
message may overlap, and the container may answer each of them in another way.
"""

from __future__ import annotations

import asyncio
import json
import random
from collections import defaultdict
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import pytest

from dequeuer.core import clock
from dequeuer.core.drain import Drain
from dequeuer.core.events import ignore
from dequeuer.core.message import Done
from dequeuer.formats.receiver_rules import Receiver, ReceiverRules
from dequeuer.formats.webhook_event import WebhookEvent, decode_event
from dequeuer.handlers.async_api.announcing import Announcing
from dequeuer.handlers.async_api.handler import AsyncHandler
from dequeuer.handlers.async_api.result import ResultWriter
from dequeuer.handlers.base import Handler, Response
from dequeuer.handlers.response_policy import ResponsePolicy
from dequeuer.publishing.outbox import TopicOutbox
from dequeuer.sinks.base import Check, Payload, unchecked
from dequeuer.sources.sqs.errors import translate
from dequeuer.webhooks.delivery import Delivering, DeliveryHandler
from dequeuer.webhooks.disabled import DisabledReceivers
from dequeuer.webhooks.hosts import HostTurns
from dequeuer.webhooks.sending import Answer, DeliveryFailedError
from tests.fakes import MemoryStore, OpenFence, Recorder, make_message
from tests.handlers.stage import Reply, ScriptedTarget
from tests.webhooks.stage import URL

pytestmark = pytest.mark.looptime

T = TypeVar("T")
PREFIX = "uid/workloads/api/r1/"
SEEDS = 400
EPOCH = 1_800_000_000.0


@pytest.fixture(autouse=True)
def virtual_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the clocks of the code follow the time of the loop."""
    monkeypatch.setattr(clock, "wall", lambda: EPOCH + asyncio.get_running_loop().time())
    monkeypatch.setattr(clock, "monotonic", lambda: asyncio.get_running_loop().time())


@dataclass
class Process:
    """Makes calls until it is killed: at call number `kill_at`, before it has an effect or after it.

    `pause_s`: returns how long each call takes.
    """

    kill_at: int = 0
    is_after: bool = False
    pause_s: Callable[[], float] = lambda: 0.0
    calls: int = 0
    killed: asyncio.Event = field(default_factory=asyncio.Event)

    async def call(self, effect: Callable[[], Awaitable[T]]) -> T:
        """Make a call."""
        if self.killed.is_set():
            raise asyncio.CancelledError
        self.calls += 1
        at_last = self.calls == self.kill_at
        await asyncio.sleep(self.pause_s())
        if at_last and not self.is_after:
            await self._end()
        result = await effect()
        if at_last:
            await self._end()
        return result

    async def _end(self) -> None:
        self.killed.set()
        await asyncio.Event().wait()

    async def run(self, work: Awaitable[bool]) -> bool:
        """Do work; return whether it has settled its message. A killed process has not."""
        running, killing = asyncio.ensure_future(work), asyncio.ensure_future(self.killed.wait())
        await asyncio.wait({running, killing}, return_when=asyncio.FIRST_COMPLETED)
        for task in (running, killing):
            if not task.done():
                task.cancel()
        await asyncio.wait({running, killing})
        return not running.cancelled() and running.result()


class KeptStore(MemoryStore):
    """The store; it knows when each object was written."""

    def __init__(self) -> None:
        super().__init__()
        self.written_at: dict[str, float] = {}

    async def put(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> None:
        await super().put(key, body, content_type, check=check)
        self.written_at[key] = clock.wall()


class StoreOf(MemoryStore):
    """The store as one process sees it."""

    def __init__(self, process: Process, store: KeptStore) -> None:
        super().__init__()
        self.objects = store.objects
        self._process = process
        self._store = store

    async def get(self, key: str) -> Payload:
        found = await self._process.call(lambda: self._store.get(key))
        modified_at = self._store.written_at.get(key, EPOCH)
        return Payload(size=found.size, content_type=None, chunks=found.chunks, modified_at=modified_at)

    async def list(self, prefix: str) -> Sequence[str]:
        return await self._process.call(lambda: self._store.list(prefix))

    async def put(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> None:
        await self._process.call(lambda: self._store.put(key, body, content_type, check=check))

    async def create(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> bool:
        return await self._process.call(lambda: self._store.create(key, body, content_type, check=check))

    async def delete(self, keys: Collection[str]) -> None:
        await self._process.call(lambda: self._store.delete(keys))


@dataclass
class World:
    """What outlives the processes."""

    store: KeptStore = field(default_factory=KeptStore)
    outbox: list[str] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    posts: int = 0

    def __post_init__(self) -> None:
        self.store.seed([(PREFIX + "payload", b"{}"), (PREFIX + "headers.json", b"{}")])

    @property
    def status(self) -> str | None:
        """The status that clients see."""
        names = [name for name in ("completed", "failed") if f"{PREFIX}status/{name}" in self.store.objects]
        return names[0] if names else None

    @property
    def announced(self) -> list[WebhookEvent]:
        """What is in the outbox, with repetitions."""
        return [decode_event(body) for body in self.outbox]


@dataclass
class OutboxOf:
    """The outbox as one process sees it; nothing may come that is not the status."""

    process: Process
    world: World

    async def send(self, body: str) -> None:
        async def effect() -> None:
            assert decode_event(body).status == self.world.status, "announced is not what is stored"
            self.world.outbox.append(body)

        await self.process.call(effect)


@dataclass
class TopicOf:
    """The topic of events as one process sees it: what it gets is the status, too."""

    process: Process
    world: World

    async def publish(self, **request: Any) -> object:
        async def effect() -> None:
            # An assertion would be an outage here, after which it is tried again.
            status = json.loads(request["Message"])["data"]["status"]
            self.world.events.append(status if status == self.world.status else f"{status}, too early")

        return await self.process.call(effect)


@dataclass
class TargetOf:
    """The container as one process sees it."""

    process: Process
    world: World
    reply: Reply

    @asynccontextmanager
    async def post(
        self,
        path: str,
        headers: Iterable[tuple[str, str]],
        body: bytes | AsyncIterator[bytes],
        size: int | None = None,
    ) -> AsyncIterator[Response]:
        async def effect() -> None:
            self.world.posts += 1

        await self.process.call(effect)
        async with ScriptedTarget([self.reply]).post(path, headers, body, size) as response:
            yield response


def sidecar(process: Process, world: World, reply: Reply) -> Announcing:
    """Return the handler of a sidecar."""
    store = StoreOf(process, world.store)
    handler = AsyncHandler(
        cluster_uid="uid",
        api_name="api",
        store=store,
        deletions=store,
        target=TargetOf(process, world, reply),
        results=ResultWriter(1 << 20),
        policy=ResponsePolicy(max_attempts=50, retry_statuses=frozenset({503})),
        drain=Drain(),
        observer=Recorder(),
    )
    return Announcing(
        handler,
        outbox=OutboxOf(process, world),
        events=TopicOutbox(TopicOf(process, world), translate, "arn", "api", ignore),
        store=store,
        cluster_uid="uid",
        api_name="api",
    )


async def deliver(process: Process, handler: Handler, body: str, receive_count: int, **attributes: str) -> bool:
    """Handle one delivery of a message and acknowledge it; return whether that was done."""

    async def acknowledged() -> None:
        return

    outcome = await handler.handle(make_message(body, receive_count, **attributes), OpenFence())
    if not isinstance(outcome, Done):
        return False
    await process.call(acknowledged)
    if outcome.after_ack is not None:
        await outcome.after_ack()
    return True


async def receive(world: World, process: Process, reply: Reply, receive_count: int) -> bool:
    """Let a sidecar work on the message once."""
    handler = sidecar(process, world, reply)
    return await process.run(deliver(process, handler, "r1", receive_count, webhook=URL))


def check(world: World) -> None:
    """Check a request whose message was acknowledged."""
    assert world.status is not None
    assert {event.status for event in world.announced} == {world.status}, "lost, or another end"
    assert set(world.events) == {world.status}, "an event is lost, or of another end"


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("is_after", [False, True])
async def test_a_sidecar_that_is_killed_anywhere_loses_no_webhook_and_makes_none_up(
    status: int, is_after: bool
) -> None:
    undisturbed = Process()
    assert await receive(World(), undisturbed, Reply(status=status), 1)
    assert undisturbed.calls > 6
    for kill_at in range(1, undisturbed.calls + 1):
        world, first = World(), Process(kill_at, is_after)
        await receive(world, first, Reply(status=status), 1)
        assert first.killed.is_set()
        if not await receive(world, Process(), Reply(status=status), 2):
            assert await receive(world, Process(), Reply(status=status), 3)
        check(world)
        assert world.posts <= 2


@pytest.mark.parametrize("part", range(4))
async def test_deliveries_that_overlap_and_are_killed_announce_what_stands(part: int) -> None:
    kills = overlaps = 0
    for seed in range(part, SEEDS, 4):
        chance = random.Random(seed)
        world, receives, acknowledged = World(), 0, False
        while not acknowledged:
            deliveries = []
            for _ in range(chance.choice((1, 1, 2, 3))):
                receives += 1
                kill_at = chance.randrange(1, 16) if chance.random() < 0.5 and receives < 12 else 0
                process = Process(kill_at, chance.random() < 0.5, pause_s=partial(chance.uniform, 0.0, 1.5))
                reply = Reply(status=chance.choice((200, 200, 500, 503)), takes_s=chance.uniform(0, 3))
                deliveries.append(receive(world, process, reply, receives))
                overlaps += len(deliveries) > 1
                kills += kill_at > 0
            acknowledged = any(await asyncio.gather(*deliveries))
            assert receives < 100, f"seed {seed}"
            await asyncio.sleep(10)
        try:
            check(world)
        except AssertionError as error:
            raise AssertionError(f"seed {seed}: {error}") from error
    assert min(kills, overlaps) > 20


@dataclass
class SenderOf:
    """The receivers as one process sees them: `got` has the ids that arrived."""

    process: Process
    got: dict[str, list[str]]
    fails: Callable[[], list[bool]]

    async def send(self, receiver: Receiver, fields: Iterable[tuple[str, str]], body: bytes) -> Answer:
        async def effect() -> Answer:
            if any(self.fails()):
                raise DeliveryFailedError("down")
            self.got[receiver.host].append(dict(fields)["webhook-id"])
            return Answer(status=204, retry_after=None)

        return await self.process.call(effect)


async def test_a_deliverer_that_is_killed_anywhere_delivers_at_least_once() -> None:
    for seed in range(SEEDS):
        chance = random.Random(seed)
        world, got = World(), defaultdict[str, list[str]](list)
        assert await receive(world, Process(), Reply(), 1)
        receives, acknowledged = 0, False
        while not acknowledged:
            receives += 1
            process = Process(chance.randrange(5), chance.random() < 0.5)
            handler = DeliveryHandler(
                Delivering(cluster_uid="uid", results_url=None, max_age_s=3e5, rules=ReceiverRules()),
                sender=SenderOf(process, got, partial(chance.choices, (True, False), (3, 7))),
                keys=lambda: (b"k" * 32,),
                disabled=DisabledReceivers(StoreOf(process, world.store), "uid"),
                hosts=HostTurns(1),
                observer=Recorder(),
            )
            acknowledged = await process.run(deliver(process, handler, world.outbox[0], receives))
        assert got["example.com"], f"seed {seed}"
        assert len(set(got["example.com"])) == 1, f"seed {seed}"
