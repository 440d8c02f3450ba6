"""Refusals of SQS and S3 (permission, KMS key, region, bucket): no messages are received until they are over.

Every call to the queue and the store is reported here as an event. A refused operation closes `may_receive`; a later
call of the same operation that is not refused opens it again. Running work (a response that waits to be stored, a
message that waits to be deleted) repeats its call by itself. When there is no such work, a harmless call of the same
operation is made instead: to receive a message for this purpose would use up one of its receives.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, NamedTuple

from dequeuer.core import clock
from dequeuer.core.errors import DequeuerError
from dequeuer.core.events import Event, SourceCalled, StoreCalled
from dequeuer.core.readiness import Condition
from dequeuer.core.retry import Backoff

CHECK_BACKOFF = Backoff(initial_s=1.0, max_s=60.0, min_share=0.5)
IDLE_BEFORE_CHECK_S = 6.0
"""Running work repeats its call within 5 s. After this time without a call, a harmless call is made, seconds."""

Service = Literal["s3", "sqs"]
_BATCHES = frozenset({"ack", "renew", "release"})
"""One request has several entries, each with its own result."""
_BEST_EFFORT = frozenset({("s3", "delete"), ("sqs", "send"), ("sqs", "publish"), ("sqs", "put_events")})
"""Work continues without these: input expires by itself, and a completion message is released instead of sent again."""
_RECEIVE = ("sqs", "receive")
_OBJECT_KINDS = {
    "put": frozenset({"result.json", "completed", "failed", "in_progress"}),
    "get": frozenset({"payload", "headers.json"}),
}
_LINES = ".jsonl"
"""Results of a batch job. They may be in another bucket than what else the sidecar writes."""
_PROGRESS_STATUS = "in_progress"
"""Written while the work runs. That this status can be written does not show that results can be."""


class AccessResult(NamedTuple):
    """Whether one call was refused, and with which `code`.

    `object_kind`: the kind of object that a read or a write was about, such as `result.json`, because policies can
    differ by object; or the name of the queue, where there are several; "" where it does not matter.
    """

    service: Service
    op: str
    refused: bool
    code: str
    object_kind: str = ""

    @property
    def allowed_kinds(self) -> frozenset[str]:
        """The kinds whose refusal ends with this call: its own, and `in_progress`, which needs no other permission.

        Not the other way round: see `_PROGRESS_STATUS`.
        """
        return frozenset(
            {self.object_kind} if self.object_kind == _PROGRESS_STATUS else {self.object_kind, _PROGRESS_STATUS}
        )


HarmlessCall = Callable[[str], Awaitable[object]]
"""Makes a harmless call of one operation. Takes the key that was refused last, or the name of the queue, where there
are several; "" when there is none."""


def access_result_of(event: SourceCalled | StoreCalled) -> AccessResult | None:
    """Return the result of a call; None when it does not show whether the operation is allowed."""
    service: Service = "sqs" if isinstance(event, SourceCalled) else "s3"
    object_kind = event.queue if isinstance(event, SourceCalled) else _object_kind(event)
    if event.error == "denied":
        return AccessResult(service, event.op, refused=True, code=event.code, object_kind=object_kind)
    if event.error in ("unavailable", "invalid"):
        return None
    if isinstance(event, SourceCalled) and event.op in _BATCHES and event.error is None and not event.messages:
        # The request was accepted; there is one event for each result of its entries.
        return None
    return AccessResult(service, event.op, refused=False, code="", object_kind=object_kind)


def _object_kind(event: StoreCalled) -> str:
    name = event.key.rpartition("/")[2]
    if event.op == "put" and name.endswith(_LINES):
        return _LINES
    return name if name in _OBJECT_KINDS.get(event.op, ()) else ""


class RefusedOperations:
    """The refused operations, for the log and the metrics, which do not distinguish kinds of objects.

    Policies and KMS keys can differ by object: while results are refused, writing a status does not end the refusal.

    Args:
        now: a monotonic clock, seconds.
    """

    def __init__(self, now: Callable[[], float] = clock.monotonic) -> None:
        self._now = now
        self._refused_kinds: dict[tuple[Service, str], dict[str, float]] = {}
        """By service and operation: the refused kinds of objects, and when each was refused last."""

    def __bool__(self) -> bool:
        return bool(self._refused_kinds)

    def record(self, event: SourceCalled | StoreCalled) -> AccessResult | None:
        """Record a call. Return its result for the whole operation.

        None when the call shows nothing, or the operation is still refused for another kind.
        """
        result = access_result_of(event)
        if result is None:
            return None
        which = result.service, result.op
        if result.refused:
            self._refused_kinds.setdefault(which, {})[result.object_kind] = self._now()
        elif kinds := self._refused_kinds.get(which):
            began_at = self._now() - event.duration_s
            for kind in result.allowed_kinds:
                if began_at >= kinds.get(kind, math.inf):
                    del kinds[kind]
            if kinds:
                return None
            del self._refused_kinds[which]
        return result


class _Refusal:
    """The last refusal of one kind of call: loop time and key."""

    __slots__ = ("key", "last_at")

    def __init__(self) -> None:
        self.last_at = 0.0
        self.key = ""


class Refusals:
    """Observer of all calls. `may_receive` and `is_clear` are derived from them."""

    def __init__(self) -> None:
        self._refused: dict[tuple[str, str, str], _Refusal] = {}
        """By service, operation and kind of object."""
        self._harmless_calls: Mapping[tuple[str, str], HarmlessCall] = {}
        self.may_receive = Condition()
        """Closed while an operation that work needs is refused. A refused receive does not close it: receives continue,
        and the next one shows whether the refusal is over."""
        self._by_queue: dict[str, Condition] = {}
        self._is_unblocked = Condition()
        """Open while `may_receive` is, and so are those of all queues."""

    @property
    def is_clear(self) -> bool:
        """Whether no operation that work needs is refused, receives included."""
        return self._is_unblocked.is_open and all(which[:2] != _RECEIVE for which in self._refused)

    def may_receive_from(self, queue: str) -> Condition:
        """Return the condition of one of several queues: what it refuses does not close `may_receive`."""
        return self._by_queue.setdefault(queue, Condition())

    def set_harmless_calls(self, calls: Mapping[tuple[str, str], HarmlessCall]) -> None:
        """Set the calls for `run`, by service and operation. They need clients, which are created after this object."""
        self._harmless_calls = calls

    @property
    def handlers(self) -> Mapping[type[Event], Callable[[Any], None]]:
        """The events that it observes."""
        return {SourceCalled: self._record, StoreCalled: self._record}

    def __call__(self, event: Event) -> None:
        """Record one event."""
        if isinstance(event, (SourceCalled, StoreCalled)):
            self._record(event)

    def _record(self, event: SourceCalled | StoreCalled) -> None:
        if event.error is None and not self._refused:
            return
        result = access_result_of(event)
        if result is None:
            return
        which = result.service, result.op
        if result.refused:
            refused = self._refused.setdefault((*which, result.object_kind), _Refusal())
            refused.last_at = asyncio.get_running_loop().time()
            refused.key = event.key if isinstance(event, StoreCalled) else event.queue
        else:
            # A call that began before the refusal, and got its response later, does not show that it is over.
            began_at = asyncio.get_running_loop().time() - event.duration_s
            for kind in result.allowed_kinds:
                refusal = self._refused.get((*which, kind))
                if refusal is not None and began_at >= refusal.last_at:
                    del self._refused[(*which, kind)]
        self._update()

    def _update(self) -> None:
        blocking = {which for which in self._refused if which[:2] not in _BEST_EFFORT and which[:2] != _RECEIVE}
        by_queue = {queue for service, _, queue in blocking if service == "sqs" and queue in self._by_queue}
        others = [which for which in blocking if which[0] != "sqs" or which[2] not in by_queue]
        self.may_receive.set(is_open=not others)
        for queue, condition in self._by_queue.items():
            condition.set(is_open=queue not in by_queue)
        self._is_unblocked.set(is_open=not blocking)

    async def run(self) -> None:
        """Make harmless calls while operations are refused and no work repeats them; until cancelled."""
        loop = asyncio.get_running_loop()
        failures, opened_at = 0, -math.inf
        while True:
            await self._is_unblocked.wait_closed()
            if loop.time() - opened_at >= CHECK_BACKOFF.max_s:
                # It was open for long. When it closes sooner, the harmless call was allowed, but the real one was not:
                # then the backoff continues to grow.
                failures = 0
            while not self._is_unblocked.is_open:
                await asyncio.sleep(CHECK_BACKOFF.pause_s(failures))
                failures += 1
                await self._check_all()
            opened_at = loop.time()

    async def _check_all(self) -> None:
        now = asyncio.get_running_loop().time()
        for which, refusal in list(self._refused.items()):
            if now - refusal.last_at < IDLE_BEFORE_CHECK_S:
                continue
            harmless_call = self._harmless_calls.get(which[:2])
            if harmless_call is None:
                # There is no harmless call: the next message shows whether the refusal is over.
                self._refused.pop(which, None)
                self._update()
                continue
            try:
                await harmless_call(refusal.key)
            except DequeuerError:
                continue  # an event was emitted for this call, too
