"""A gateway of real parts (submissions with keys, the claims of keys, the sender) with simulated servers."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextvars import ContextVar
from typing import Any, TypeVar

from dequeuer.core.events import ignore
from dequeuer.formats.envelope import request_id_of
from dequeuer.gateway.body import MAX_BUFFERED_BYTES
from dequeuer.gateway.idempotency import TAKE_OVER_S
from dequeuer.gateway.idempotency_key import IdempotencyKey
from dequeuer.gateway.model import Submission
from dequeuer.gateway.queue import SqsQueue
from dequeuer.gateway.service import Gateway
from dequeuer.sinks.base import ListedObject, ListedPage
from dequeuer.sources.sqs.sdk_errors import translate
from tests.history.records import Record
from tests.simulation import queue_client
from tests.simulation import store as sim_store
from tests.simulation.clock import EPOCH_S
from tests.simulation.network import Action, Connection, FaultRates
from tests.simulation.queue import Queue
from tests.simulation.sidecar import Cloud

T = TypeVar("T")

MAX_SKEW_S = 85.0
"""Clocks of gateways differ by less than the three minutes that docs/gateway.md allows."""
SKEW_S: ContextVar[float] = ContextVar("skew", default=0.0)
"""How far the clock of the running process is ahead."""
MAX_PAYLOAD_BYTES = 1 << 20
HELD_BYTES = MAX_BUFFERED_BYTES + 1
"""A gateway must begin to store a payload when it holds these."""
SLOW_UPLOAD_S = TAKE_OVER_S + 100.0
QUEUE_URL = "https://sqs/queue"


class GatewayGoneError(Exception):
    """The connection of a client broke: the gateway was killed, or the client has left."""


class SimGateway:
    """One gateway process.

    Args:
        name: unique.
        cloud: the servers.
        record: adds to the history.
        last_call: to a server, around which the process is killed; None: it lives for ever.
        on_death: called then.
    """

    def __init__(
        self,
        name: str,
        cloud: Cloud,
        record: Callable[[Record], None],
        last_call: int | None,
        on_death: Callable[[SimGateway], None],
    ) -> None:
        self.name = name
        self._record = record
        self._last_call = last_call
        self._on_death = on_death
        self._skew_s = random.uniform(-MAX_SKEW_S, MAX_SKEW_S)
        self._running: set[asyncio.Task[str]] = set()
        self._s3 = _CountedConnection(
            cloud.rates, lambda: cloud.s3_is_unavailable, sim_store.unavailable_error, self._count
        )
        self._sqs = _CountedConnection(
            cloud.rates, lambda: cloud.sqs_is_unavailable, queue_client.unavailable_error, self._count
        )
        store = _GatewayStore(cloud.objects, name, self._s3, record, ignore)
        self._gateway = Gateway(
            sink=store,
            reads=store,
            queue=SqsQueue(_Sender(cloud.queue, name, self._sqs, record), translate),
            cluster_uid="uid",
            max_payload_bytes=MAX_PAYLOAD_BYTES,
            inline_bytes=random.choice([0, 4096]),
        )

    @property
    def is_dead(self) -> bool:
        """Whether it was killed."""
        return self._s3.is_dead

    def live_on(self) -> None:
        """Never be killed from now on."""
        self._last_call = None

    async def submit(self, key: str, payload: bytes, request_id: str, leaves_after_s: float | None) -> str:
        """Submit with a key, as a client; return the id. `leaves_after_s`: the client hangs up then; None: it waits.

        Raises `GatewayError`; `GatewayGoneError`.
        """
        if self.is_dead:
            raise GatewayGoneError
        task = asyncio.create_task(self._submit(key, payload, request_id))
        self._running.add(task)
        task.add_done_callback(self._running.discard)
        if leaves_after_s is not None:
            asyncio.get_running_loop().call_later(leaves_after_s, task.cancel)
        try:
            return await task
        except asyncio.CancelledError:
            raise GatewayGoneError from None

    async def _submit(self, key: str, payload: bytes, request_id: str) -> str:
        SKEW_S.set(self._skew_s)
        submission = Submission(
            api_name="api",
            request_id=request_id,
            queue_url=QUEUE_URL,
            headers=b"{}",
            content_type="",  # the simulated store keeps none
            size=len(payload),
            body=_pieces(payload),
        )
        result = await self._gateway.submit_once(submission, IdempotencyKey(caller="", value=key), may_exist=False)
        return result.request_id

    def _count(self) -> None:
        if self._last_call is None:
            return
        self._last_call -= 1
        if self._last_call == 0:
            # Before the call has its effect, after it, or when its response is there.
            asyncio.get_running_loop().call_later(random.uniform(0.0, 0.06), self.kill)

    def kill(self) -> None:
        """Send SIGKILL: from now on no call reaches a server, and no client gets a response."""
        if self._last_call is None or self.is_dead:
            return
        self._record(Record(at=asyncio.get_running_loop().time(), what="killed", sidecar=self.name))
        self._s3.is_dead = self._sqs.is_dead = True
        self._end()
        self._on_death(self)

    def _end(self) -> None:
        """Cancel until nothing runs: what the code does when it is cancelled waits for ever."""
        for task in sorted(self._running, key=hash):
            task.cancel()
        if self._running:
            asyncio.get_running_loop().call_later(0.01, self._end)


class _CountedConnection(Connection):
    """A connection that tells of each call."""

    def __init__(
        self,
        rates: FaultRates,
        is_unavailable: Callable[[], bool],
        error: Callable[[], Exception],
        count: Callable[[], None],
    ) -> None:
        super().__init__(rates, is_unavailable, error)
        self._count = count

    async def send(
        self, action: Action, effect: Callable[[], T], *, before_effect: Callable[[], Awaitable[None]] | None = None
    ) -> T:
        self._count()
        return await super().send(action, effect, before_effect=before_effect)


class _GatewayStore(sim_store.StoreClient):
    """The client of a gateway, which lists what there is of a request or a key."""

    async def list_page(self, prefix: str, *, after: str = "", token: str = "") -> ListedPage:
        assert (after, token) == ("", "")
        ref, beginning = sim_store.split(prefix)

        def read() -> list[ListedObject]:
            bodies, written_at = self._objects.bodies.get(ref, {}), self._objects.written_at
            return [
                ListedObject(
                    key=f"{sim_store.PREFIX}{ref}/{name}",
                    size=len(body),
                    e_tag="",
                    modified_at=EPOCH_S + written_at.get((ref, name), 0.0),
                )
                for name, body in sorted(bodies.items())
                if name.startswith(beginning)
            ]

        return ListedPage(objects=await self._send("list", prefix, read), next_token="")


class _Sender:
    """The simulated SDK client of a gateway."""

    def __init__(self, queue: Queue, gateway: str, connection: Connection, record: Callable[[Record], None]) -> None:
        self._queue = queue
        self._gateway = gateway
        self._connection = connection
        self._record = record

    async def send_message(self, **request: Any) -> dict[str, Any]:
        body, now = request["MessageBody"], asyncio.get_running_loop().time()
        ref = request_id_of(body)
        self._record(Record(at=now, what="asked", op="send", sidecar=self._gateway, ref=ref))

        def send() -> dict[str, Any]:
            self._queue.submit(ref, body, attributes=request["MessageAttributes"])
            return {}

        return await self._connection.send("sqs:send", send)


async def _pieces(payload: bytes) -> AsyncIterator[bytes]:
    """Yield a payload as it is uploaded; a large one may take so long that the claim of its key is taken over."""
    yield payload[:HELD_BYTES]
    if len(payload) > HELD_BYTES:
        await asyncio.sleep(random.choice([0.01, 0.01, 0.01, 1.0, SLOW_UPLOAD_S]))
        yield payload[HELD_BYTES:]
