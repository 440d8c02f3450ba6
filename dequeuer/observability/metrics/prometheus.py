"""Counts events as Prometheus metrics, in a registry of its own."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Literal

from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from dequeuer.core.events import (
    BatchEnded,
    ConsumptionPaused,
    ContainerProtocolChanged,
    CredentialsRenewalFailed,
    CredentialsRenewed,
    Event,
    LeaseLost,
    LimitChanged,
    Posted,
    Received,
    ReleasedUnstarted,
    ResponseStarted,
    Settled,
    SlotsChanged,
    SourceCalled,
    StoreCalled,
)
from dequeuer.core.refusal_codes import label
from dequeuer.core.refusals import RefusedOperations
from dequeuer.observability.metrics.families import (
    EXACT_COUNTERS,
    CallFamilies,
    CortexFamilies,
    CredentialFamilies,
    MessageFamilies,
    QueueFamilies,
    RefusalFamilies,
    add_build_info,
    add_not_http,
)
from dequeuer.observability.metrics.pod import PodMetrics
from dequeuer.observability.metrics.probes import ProbeMetrics
from dequeuer.observability.metrics.series import Histogram, Value

# Anchored at the start of a line, because a label value may contain any text.
_ADDED_TOTAL = re.compile(
    rb"^((?:# (?:HELP|TYPE) )?(?:" + "|".join(EXACT_COUNTERS).encode() + rb"))_total(?=[ {])", re.MULTILINE
)


class Metrics:
    """An observer that counts events; `render` returns the numbers. Not thread-safe: call it from the event loop."""

    content_type = CONTENT_TYPE_PLAIN_0_0_4

    def __init__(
        self,
        api_kind: Literal["async", "batch", "queue"],
        api_name: str,
        job_id: str,
        workers: int,
        queues: Sequence[str] = (),
    ) -> None:
        """Register every family, and with value zero every member whose labels are known.

        Args:
            api_kind: the families of this kind have members from the start.
            api_name: a label of the batch families.
            job_id: a label of the batch families; empty for an async API.
            workers: the number of slots; the largest number, if it is automatic.
            queues: the names of the queues, when there are several.
        """
        self._registry = registry = CollectorRegistry()
        self._cortex = CortexFamilies(registry)
        self._messages = MessageFamilies(registry, workers)
        self._source = CallFamilies(registry, "source", "the queue")
        self._queues = QueueFamilies(registry, queues)
        self._store = CallFamilies(registry, "store", "the store")
        self._credentials = CredentialFamilies(registry)
        self._refusals = RefusalFamilies(registry)
        probes, pod = ProbeMetrics(registry), PodMetrics(registry)
        self._not_http = add_not_http(registry)
        add_build_info(registry)
        ProcessCollector(registry=registry)
        self._job = (api_name, job_id)
        self._refused = RefusedOperations()
        self._by_status: dict[int, tuple[Histogram, Value]] = {}
        if api_kind == "batch":
            self._cortex.succeeded.child(*self._job)
            self._cortex.failed.child(*self._job)
            self._cortex.batch_time.child(*self._job)
        self.handlers: dict[type[Event], Callable[[Any], None]] = {
            Received: self._received,
            Posted: self._posted,
            ResponseStarted: self._response_started,
            BatchEnded: self._batch_ended,
            Settled: self._settled,
            SlotsChanged: self._slots_changed,
            LimitChanged: self._limit_changed,
            ReleasedUnstarted: self._released_unstarted,
            ConsumptionPaused: self._consumption_paused,
            SourceCalled: self._source_called,
            StoreCalled: self._store_called,
            CredentialsRenewed: self._credentials_renewed,
            CredentialsRenewalFailed: self._credentials_renewal_failed,
            LeaseLost: self._lease_lost,
            **probes.handlers,
            **pod.handlers,
            ContainerProtocolChanged: self._container_protocol_changed,
        }

    def __call__(self, event: Event) -> None:
        """Count one event."""
        handler = self.handlers.get(type(event))
        if handler is not None:
            handler(event)

    def render(self) -> bytes:
        """Return all metrics in Prometheus' text format 0.0.4. The suffix `_total` is removed from Cortex's names."""
        return _ADDED_TOTAL.sub(rb"\1", generate_latest(self._registry))

    def _received(self, _event: Received) -> None:
        self._messages.received.value += 1
        self._messages.in_flight.value += 1

    def _posted(self, event: Posted) -> None:
        if event.queued_s is not None:
            self._messages.queue_time.observe(event.queued_s)

    def _response_started(self, event: ResponseStarted) -> None:
        if event.kind != "async":
            return
        # The container chooses the status code: invalid codes share one label, so that the number of series is bounded.
        code = event.status_code if 100 <= event.status_code <= 599 else 0
        members = self._by_status.get(code)
        if members is None:
            label = str(code or "other")
            members = self._by_status[code] = self._cortex.latency.child(label), self._cortex.requests.child(label)
        members[0].observe(event.duration_s)
        members[1].value += 1

    def _batch_ended(self, event: BatchEnded) -> None:
        if event.succeeded:
            self._cortex.succeeded.child(*self._job).value += 1
            self._cortex.batch_time.child(*self._job).observe(event.duration_s)
        else:
            self._cortex.failed.child(*self._job).value += 1

    def _settled(self, event: Settled) -> None:
        messages = self._messages
        messages.in_flight.value -= 1
        messages.settled[event.settlement].value += 1
        messages.held.observe(event.held_s)

    def _slots_changed(self, event: SlotsChanged) -> None:
        self._messages.busy.value = event.busy
        self._messages.slots.value = event.total

    def _limit_changed(self, event: LimitChanged) -> None:
        self._messages.limit.value = event.baseline
        self._messages.changes[event.reason].value += 1

    def _consumption_paused(self, event: ConsumptionPaused) -> None:
        self._messages.paused.value = event.is_paused

    def _released_unstarted(self, event: ReleasedUnstarted) -> None:
        self._messages.given_back[event.reason].value += event.messages

    def _source_called(self, event: SourceCalled) -> None:
        self._source.count(event)
        if event.queue:
            self._queue_called(event)
        if event.op == "ack" and event.error is None:
            self._messages.acked.value += event.messages
        self._count_refusal(event)

    def _queue_called(self, event: SourceCalled) -> None:
        # By the names of the settings: no event makes a series.
        members = self._queues.messages if event.error is None else self._queues.errors
        if (member := members.get((event.queue, event.op))) is not None:
            member.value += event.messages if event.error is None else 1

    def _store_called(self, event: StoreCalled) -> None:
        self._store.count(event)
        self._count_refusal(event)

    def _count_refusal(self, event: SourceCalled | StoreCalled) -> None:
        if event.error is None and not self._refused:
            return
        verdict = self._refused.record(event)
        if verdict is None:
            return
        which = verdict.service, verdict.op
        if verdict.refused:
            self._refusals.total.child(*which, label(verdict.code)).value += 1
        self._refusals.lasting[which].value = verdict.refused

    def _credentials_renewed(self, event: CredentialsRenewed) -> None:
        self._credentials.expiry[event.provider].value = event.expires_at or 0

    def _credentials_renewal_failed(self, event: CredentialsRenewalFailed) -> None:
        self._credentials.errors[event.provider].value += 1

    def _lease_lost(self, _event: LeaseLost) -> None:
        self._messages.lost.value += 1

    def _container_protocol_changed(self, event: ContainerProtocolChanged) -> None:
        self._not_http.value = bool(event.looks_like)
