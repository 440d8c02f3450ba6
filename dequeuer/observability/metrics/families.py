"""Declares every metric of the sidecar: name, help text, labels."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from typing import Literal, get_args

from prometheus_client.registry import CollectorRegistry

from dequeuer import __version__
from dequeuer.core.events import (
    CredentialProviderName,
    ErrorKind,
    LimitReason,
    Settlement,
    SourceCalled,
    SourceOp,
    StoreCalled,
    StoreOp,
    UnstartedReason,
)
from dequeuer.core.refusal_codes import OTHER
from dequeuer.observability.metrics.series import Histograms, Value, Values

LATENCY_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Upper bounds in seconds, fixed by Cortex for `cortex_async_latency`."""
CALL_BUCKETS_S = (0.001, 0.0025, *LATENCY_BUCKETS_S, 30)
"""For calls to the queue and the store; a long poll takes up to 20 s."""
LONG_BUCKETS_S = (*LATENCY_BUCKETS_S, 30, 60, 300, 900, 3600, 10800, 43200)
"""For times of up to 12 hours, the longest time that SQS lets a message be held."""

EXACT_COUNTERS = ("cortex_async_request_count", "cortex_batch_succeeded", "cortex_batch_failed")
"""Counters whose names Cortex fixed: exported without the suffix `_total`."""

ERRORS = ("none", *get_args(ErrorKind))
JOB = ("api_name", "job_id")


class CortexFamilies:
    """The families that the dashboards and the autoscaler of Cortex read."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.latency = Histograms(
            registry,
            "cortex_async_latency",
            "Time from the POST to the status line of the container, in seconds.",
            LATENCY_BUCKETS_S,
            ["status_code"],
        )
        self.requests = Values(
            registry,
            "counter",
            "cortex_async_request_count",
            "Requests that the container answered.",
            ["status_code"],
        )
        self.succeeded = Values(registry, "counter", "cortex_batch_succeeded", "Batches that succeeded.", JOB)
        self.failed = Values(registry, "counter", "cortex_batch_failed", "Failed attempts at batches.", JOB)
        self.batch_time = Histograms(
            registry,
            "cortex_time_per_batch",
            "Time of a successful batch in the container, in seconds.",
            LONG_BUCKETS_S,
            JOB,
        )


class MessageFamilies:
    """Messages, from receiving to settling."""

    def __init__(self, registry: CollectorRegistry, workers: int) -> None:
        def counter(name: str, text: str, *labels: str) -> Values:
            return Values(registry, "counter", name, text, labels)

        def gauge(name: str, text: str) -> Values:
            return Values(registry, "gauge", name, text)

        settled = counter("dequeuer_messages_total", "Messages settled, by settlement.", "settlement")
        self.settled = {how: settled.child(how) for how in get_args(Settlement)}
        self.received = counter("dequeuer_messages_received_total", "Messages whose work began.").child()
        self.acked = counter("dequeuer_messages_acked_total", "Messages that the queue was asked to delete.").child()
        self.lost = counter("dequeuer_leases_lost_total", "Leases lost while work was going on.").child()
        self.in_flight = gauge("dequeuer_in_flight", "Messages that are held now.").child()
        self.busy = gauge("dequeuer_slots_busy", "Worker slots that are occupied.").child()
        self.slots = gauge("dequeuer_slots", "Worker slots that exist now.").child()
        self.slots.value = workers
        self.paused = gauge("dequeuer_paused", "Whether a client has paused the API (1): nothing is received.").child()
        self.limit = gauge(
            "dequeuer_concurrency_limit",
            "Worker slots that measurements found to be best; trials of other numbers are not counted.",
        ).child()
        self.limit.value = workers
        maximum = gauge("dequeuer_concurrency_maximum", "Largest number of worker slots.").child()
        maximum.value = workers
        changes = counter(
            "dequeuer_concurrency_changes_total", "Changes of the automatic concurrency limit, by reason.", "reason"
        )
        self.changes = {reason: changes.child(reason) for reason in get_args(LimitReason)}
        given_back = counter(
            "dequeuer_messages_given_back_total", "Messages released before their work began, by reason.", "reason"
        )
        self.given_back = {reason: given_back.child(reason) for reason in get_args(UnstartedReason)}
        self.held = Histograms(
            registry,
            "dequeuer_message_held_seconds",
            "Time from the begin of the work on a message to its settlement.",
            LONG_BUCKETS_S,
        ).child()
        self.queue_time = Histograms(
            registry,
            "dequeuer_queue_time_seconds",
            "Time from the sending of a message to the POST of its work.",
            LONG_BUCKETS_S,
        ).child()


class CallFamilies:
    """Calls to one external service. Both families have a member for every operation from the start."""

    def __init__(self, registry: CollectorRegistry, service: Literal["source", "store"], text: str) -> None:
        operations = get_args(SourceOp) if service == "source" else get_args(StoreOp)
        calls = Values(
            registry,
            "counter",
            f"dequeuer_{service}_calls_total",
            f"Calls to {text}; error is none when the call succeeded.",
            ["op", "error"],
        )
        seconds = Histograms(
            registry,
            f"dequeuer_{service}_call_seconds",
            f"Time that a call to {text} took.",
            CALL_BUCKETS_S,
            ["op"],
        )
        self.calls = {(op, error): calls.child(op, error) for op in operations for error in ERRORS}
        self.seconds = {op: seconds.child(op) for op in operations}

    def count(self, event: SourceCalled | StoreCalled) -> None:
        """Count one call to this service."""
        self.calls[event.op, event.error or "none"].value += 1
        self.seconds[event.op].observe(event.duration_s)


class QueueFamilies:
    """Calls by queue, where messages come from several. `queues`: their names; empty when there is one."""

    def __init__(self, registry: CollectorRegistry, queues: Sequence[str]) -> None:
        messages = Values(
            registry,
            "counter",
            "dequeuer_queue_messages_total",
            "Messages of one of several queues: received, deleted (ack), renewed, released or sent again.",
            ["queue", "op"],
        )
        errors = Values(
            registry,
            "counter",
            "dequeuer_queue_errors_total",
            "Calls to one of several queues that failed.",
            ["queue", "op"],
        )
        labels = [(queue, op) for queue in queues for op in get_args(SourceOp)]
        self.messages = {label: messages.child(*label) for label in labels}
        self.errors = {label: errors.child(*label) for label in labels}


class CredentialFamilies:
    """AWS credentials. Every provider has a member from the start, because the provider in use is not known yet."""

    def __init__(self, registry: CollectorRegistry) -> None:
        expiry = Values(
            registry,
            "gauge",
            "dequeuer_credentials_expiry_timestamp_seconds",
            "When the AWS credentials in use expire, in seconds since the epoch; 0: never, unknown, or none fetched.",
            ["provider"],
        )
        errors = Values(
            registry,
            "counter",
            "dequeuer_credentials_refresh_errors_total",
            "Attempts to fetch AWS credentials that failed.",
            ["provider"],
        )
        self.expiry = {name: expiry.child(name) for name in get_args(CredentialProviderName)}
        self.errors = {name: errors.child(name) for name in get_args(CredentialProviderName)}


class RefusalFamilies:
    """Calls that SQS and S3 refuse permanently. Every operation has a member from the start."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.total = Values(
            registry,
            "counter",
            "dequeuer_refused_total",
            "Calls that SQS or S3 refused permanently (permission, KMS key, region, bucket), by error code.",
            ["service", "op", "code"],
        )
        lasting = Values(
            registry,
            "gauge",
            "dequeuer_refused",
            "Whether the last call of an operation was refused permanently (1).",
            ["service", "op"],
        )
        operations = [("sqs", op) for op in get_args(SourceOp)] + [("s3", op) for op in get_args(StoreOp)]
        self.lasting = {(service, op): lasting.child(service, op) for service, op in operations}
        for service, op in operations:
            # The rate of a counter needs a first value of zero; these are the usual codes.
            self.total.child(service, op, "AccessDenied")
            self.total.child(service, op, OTHER)


def add_not_http(registry: CollectorRegistry) -> Value:
    """Register the metric that says why nothing is received from a container that listens."""
    return Values(
        registry,
        "gauge",
        "dequeuer_container_not_http",
        "Whether no messages are received (1) because the container does not speak HTTP/1.",
    ).child()


def add_build_info(registry: CollectorRegistry) -> None:
    """Register the metric that names the version of dequeuer and Python."""
    family = Values(
        registry,
        "gauge",
        "dequeuer_build_info",
        "Always 1; the labels hold the versions.",
        ["version", "python"],
    )
    family.child(__version__, platform.python_version()).value = 1
