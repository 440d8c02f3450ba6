"""A sidecar of real parts (worker, leases, gate, handlers, settlement, source) with simulated servers."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from dequeuer.concurrency.adaptive_limit import AdaptiveLimit
from dequeuer.core.drain import Drain
from dequeuer.core.events import ConsumptionPaused, Event, ignore
from dequeuer.core.message import Fence, Message, Outcome
from dequeuer.core.readiness import AllOf
from dequeuer.core.refusals import Refusals
from dequeuer.core.retry import retry_until_available
from dequeuer.handlers.async_api.announcing import Announcing
from dequeuer.handlers.async_api.attempt_records import AttemptRecords
from dequeuer.handlers.async_api.cancellation import CancellationWatch
from dequeuer.handlers.async_api.handler import AsyncHandler
from dequeuer.handlers.async_api.pause import PauseWatch
from dequeuer.handlers.async_api.result import ResultWriter
from dequeuer.handlers.base import Handler
from dequeuer.handlers.batch_api.completion import Completion, EndWhenEmpty
from dequeuer.handlers.batch_api.handler import BatchHandler
from dequeuer.handlers.queue_api.handler import QueueHandler, RequestForm
from dequeuer.handlers.queue_api.payloads import Payloads
from dequeuer.handlers.queue_api.results import QueueResults
from dequeuer.handlers.response_policy import ResponsePolicy
from dequeuer.probes.gate import Gate
from dequeuer.sinks.access import harmless_store_calls
from dequeuer.sinks.deletion_batching import DeletionBatcher
from dequeuer.sinks.layout import ApiKeys
from dequeuer.sources.sqs.sdk_errors import translate
from dequeuer.worker.lease import HeldLease, LeaseRenewer
from dequeuer.worker.own_end import OwnEnd
from dequeuer.worker.settlement import REPEATABLE_ERRORS
from dequeuer.worker.worker import Worker
from tests.history.records import Record, What
from tests.simulation import queue_client
from tests.simulation import store as sim_store
from tests.simulation.container import SimContainer
from tests.simulation.network import Connection, FaultRates
from tests.simulation.outbox import make_outboxes
from tests.simulation.queue import Queue
from tests.simulation.store import DELIVERY

CANCEL_INTERVAL_S = 5.0
PAUSE_INTERVAL_S = 2.0
COMPLETION_DELAY_S = 10.0
MAX_ATTEMPTS = 5
BUCKET = "payloads"
"""Of the pointers in messages of any queue."""

Kind = Literal["async", "batch", "queue"]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The settings of the sidecars of one world, and their load.

    `announces`: each request has a webhook. `cancels`: clients cancel requests, or give them deadlines. `pauses`: clients pause the API and resume it. `groups`: of messages, in a FIFO queue that others fill; 0: it is a standard queue. `max_messages`, `idle_s`: after so many messages, or so much time without any, a sidecar ends by itself. `finds_slots`: the adaptive limit sets the concurrency, up to `slots`. `work_s`: mean time of a request in the
    container. `sqs_distance_s`: an additional time of each call to the queue. With it and many slots, several receives run
    at the same time.
    """

    kind: Kind
    slots: int
    lease_s: int
    grace_s: float
    poll_wait_s: int
    request_timeout_s: float
    finds_slots: bool = False
    groups: int = 0
    announces: bool = False
    cancels: bool = False
    pauses: bool = False
    max_messages: int | None = None
    idle_s: float | None = None
    work_s: float = 0.3
    sqs_distance_s: float = 0.0

    @property
    def ends_itself(self) -> bool:
        """Whether a sidecar can end although nobody has told it to."""
        return self.max_messages is not None or self.idle_s is not None


@dataclass(kw_only=True)
class Cloud:
    """The servers that all sidecars of one world share."""

    rates: FaultRates
    queue: Queue
    objects: sim_store.Objects
    sqs_is_unavailable: bool = False
    s3_is_unavailable: bool = False
    denied: set[str] = field(default_factory=set)


class SimSidecar:
    """One sidecar process, started with `start`."""

    def __init__(self, name: str, shape: Shape, cloud: Cloud, record: Callable[[Record], None]) -> None:
        self.name = name
        self._shape = shape
        self._record = record
        self.container = SimContainer(name, cloud.rates, record, shape.request_timeout_s, shape.work_s)
        self.drain = Drain()
        self._refusals = Refusals()
        self._refused: set[str] = set()
        self._watch: CancellationWatch | None = None
        self._pause: PauseWatch | None = None
        self._sqs = Connection(
            cloud.rates,
            lambda: cloud.sqs_is_unavailable,
            queue_client.unavailable_error,
            self._denial(cloud, queue_client.denied_error),
            distance_s=shape.sqs_distance_s,
        )
        self._s3 = Connection(
            cloud.rates,
            lambda: cloud.s3_is_unavailable,
            sim_store.unavailable_error,
            self._denial(cloud, sim_store.denied_error),
        )
        self._renewer = _RecordingRenewer(shape.lease_s, name, record)
        self._source = queue_client.RecordingSource(
            queue_client.QueueClient(cloud.queue, name, self._sqs, record),
            translate=translate,
            queue_url="https://sqs/queue.fifo" if shape.groups else "https://sqs/queue",
            visibility_timeout_s=shape.lease_s,
            poll_wait_s=shape.poll_wait_s,
            held=lambda: len(self._renewer),
            gathers_acks=shape.kind != "batch",
            keeps_groups=shape.kind == "queue",
            observer=self._refusals,
        )
        self._store = sim_store.StoreClient(cloud.objects, name, self._s3, record, self._refusals)
        self._refusals.set_harmless_calls(
            {
                ("sqs", "ack"): lambda _: self._source.check_delete(),
                ("sqs", "renew"): lambda _: self._source.check_change("renew"),
                ("sqs", "release"): lambda _: self._source.check_change("release"),
                ("sqs", "depth"): lambda _: self._source.depth(),
                **harmless_store_calls(self._store, sim_store.PREFIX),
            }
        )
        self._gate = Gate([self.container], ignore)
        if shape.pauses:
            self._pause = PauseWatch(self._store, ApiKeys("uid", "api"), PAUSE_INTERVAL_S, self._paused)
        self.worker = Worker(
            source=self._source,
            handler=DeliveryHandler(self._handler()),
            readiness=AllOf(self._gate, self._refusals.may_receive),
            renewer=self._renewer,
            drain=self.drain,
            slots=AdaptiveLimit(shape.slots, ignore) if shape.finds_slots else shape.slots,
            grace_s=shape.grace_s,
            end_of_work=EndWhenEmpty(self._source) if shape.kind == "batch" else None,
            observer=ignore,
            pause=None if self._pause is None else self._pause.may_receive,
            own_end=OwnEnd(max_messages=shape.max_messages, idle_s=shape.idle_s) if shape.ends_itself else None,
        )
        self._process: asyncio.Task[None] | None = None

    def _paused(self, event: Event) -> None:
        assert isinstance(event, ConsumptionPaused)
        what: What = "paused" if event.is_paused else "resumed"
        self._record(Record(at=asyncio.get_running_loop().time(), what=what, sidecar=self.name))

    def _denial(self, cloud: Cloud, error: Callable[[], Exception]) -> Callable[[str, bool], Exception | None]:
        """Return a function that denies actions. The first denial and the next success of each action are recorded.

        A call that is cancelled because its lease is lost is not recorded: its response does not reach the sidecar.
        """

        def denial(action: str, has_response: bool) -> Exception | None:
            is_denied = action in cloud.denied
            if has_response and is_denied is not (action in self._refused):
                (self._refused.add if is_denied else self._refused.discard)(action)
                what: What = "refused" if is_denied else "allowed"
                now = asyncio.get_running_loop().time()
                self._record(Record(at=now, what=what, sidecar=self.name, name=action))
            return error() if is_denied else None

        return denial

    def _handler(self) -> Handler:
        policy = ResponsePolicy(max_attempts=MAX_ATTEMPTS, retry_statuses=frozenset({429, 503}))
        if self._shape.kind == "async":
            keys = ApiKeys("uid", "api")
            if self._shape.cancels:
                self._watch = CancellationWatch(self._store, keys, CANCEL_INTERVAL_S)
            handler = AsyncHandler(
                cluster_uid="uid",
                api_name="api",
                store=self._store,
                deletions=DeletionBatcher(self._store),
                target=self.container,
                results=ResultWriter(1 << 20),
                policy=policy,
                drain=self.drain,
                observer=ignore,
                cancellations=self._watch,
                attempts=AttemptRecords(self._store, keys, self.name) if self._shape.cancels else None,
            )
            if not self._shape.announces:
                return handler
            outbox, events = make_outboxes(self.name, self._sqs, self._record)
            return Announcing(
                handler, outbox=outbox, events=events, store=self._store, cluster_uid="uid", api_name="api"
            )
        if self._shape.kind == "queue":
            return QueueHandler(
                form=RequestForm(path="/", takes_paths=False, content_type="text/plain", body_format="raw"),
                target=self.container,
                payloads=Payloads({BUCKET: self._store}, deletes=True),
                results=QueueResults(self._store, sim_store.PREFIX, 1 << 20),
                policy=policy,
                drain=self.drain,
                observer=ignore,
            )
        completion = Completion(
            job_id="job",
            queue=self._source,
            target=self.container,
            delay_s=COMPLETION_DELAY_S,
            policy=policy,
            drain=self.drain,
            observer=ignore,
        )
        return BatchHandler(
            job_id="job",
            target=self.container,
            completion=completion,
            policy=policy,
            drain=self.drain,
            observer=ignore,
        )

    def start(self) -> None:
        """Start the process."""
        self._process = asyncio.create_task(self._run(), name=self.name)

    @property
    def has_ended(self) -> bool:
        """Whether the process has ended."""
        return self._process is not None and self._process.done()

    async def wait(self) -> None:
        """Wait for the end of the process. Raises the error that ended it."""
        if self._process is not None:
            await asyncio.wait({self._process})
            if not self._process.cancelled():
                self._process.result()

    async def _run(self) -> None:
        background = [asyncio.create_task(self._gate.run()), asyncio.create_task(self._renewer.run())]
        background.append(asyncio.create_task(self._refusals.run()))
        try:
            await retry_until_available(REPEATABLE_ERRORS, self._source.open)
            if self._pause is not None:
                await self._pause.look()
                background.append(asyncio.create_task(self._pause.run()))
            await self.worker.run()
            await self._source.close()
            self._record(Record(at=asyncio.get_running_loop().time(), what="ended", sidecar=self.name))
        finally:
            if self._watch is not None:
                self._watch.close()
            for task in background:
                task.cancel()
            await asyncio.wait(background)

    def terminate(self) -> None:
        """Send SIGTERM."""
        self._record(Record(at=asyncio.get_running_loop().time(), what="drain", sidecar=self.name))
        self.drain.request()

    async def kill(self) -> None:
        """Send SIGKILL: from now on no call reaches a server."""
        if self._process is None or self._process.done():
            return
        self._record(Record(at=asyncio.get_running_loop().time(), what="killed", sidecar=self.name))
        self._sqs.is_dead = self._s3.is_dead = True
        self.container.is_up = False
        self.drain.request()
        self.drain.request()
        self._process.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._process


class _RecordingRenewer(LeaseRenewer):
    """The real renewer. It also records each lost lease."""

    def __init__(self, length_s: float, sidecar: str, record: Callable[[Record], None]) -> None:
        super().__init__(length_s, ignore)
        self._sidecar = sidecar
        self._record = record

    def report_lost(self, held: HeldLease, reason: str) -> None:
        message = held.lease.message
        delivery, now = message.attributes["delivery"], asyncio.get_running_loop().time()
        self._record(
            Record(at=now, what="fenced", sidecar=self._sidecar, ref=message.attributes["ref"], delivery=delivery)
        )


class DeliveryHandler:
    """The real handler. It sets `DELIVERY`, so that store calls are recorded with the receipt of their message."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    def needs_slot(self, message: Message) -> bool:
        return self._handler.needs_slot(message)

    def ref(self, message: Message) -> str:
        return self._handler.ref(message)

    async def handle(self, message: Message, fence: Fence) -> Outcome:
        DELIVERY.set(message.attributes["delivery"])
        return await self._handler.handle(message, fence)
