"""Every metric there is: its name, its meaning, its labels."""

from __future__ import annotations

import platform
from typing import Literal, get_args

from prometheus_client.registry import CollectorRegistry

from dequeuer import __version__
from dequeuer.core.events import ErrorKind, GiveBackReason, KeyProviderName, LimitReason, Settlement, SourceOp, StoreOp
from dequeuer.core.refusal_codes import OTHER
from dequeuer.observability.metrics.series import Histograms, Values

LATENCY_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Fixed by Cortex for `cortex_async_latency`."""
CALL_S = (0.001, 0.0025, *LATENCY_S, 30)
"""Calls to the queue and the store; a long poll takes up to 20 s."""
LONG_S = (*LATENCY_S, 30, 60, 300, 900, 3600, 10800, 43200)
"""What may take hours; a message of SQS can be held for 12."""

EXACT_COUNTERS = ("cortex_async_request_count", "cortex_batch_succeeded", "cortex_batch_failed")
"""Counters whose names Cortex fixed: shown without `_total`."""

ERRORS = ("none", *get_args(ErrorKind))
JOB = ("api_name", "job_id")


class CortexFamilies:
    """The families that Cortex's dashboards and autoscaler read."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.latency = Histograms(
            registry,
            "cortex_async_latency",
            "Time from the POST to the status line of the container, in seconds.",
            LATENCY_S,
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
            LONG_S,
            JOB,
        )


class MessageFamilies:
    """Messages, from being received to being settled."""

    def __init__(self, registry: CollectorRegistry, workers: int) -> None:
        def counter(name: str, text: str, *labels: str) -> Values:
            return Values(registry, "counter", name, text, labels)

        def gauge(name: str, text: str) -> Values:
            return Values(registry, "gauge", name, text)

        settled = counter("dequeuer_messages_total", "Messages settled, by how.", "settlement")
        self.settled = {how: settled.child(how) for how in get_args(Settlement)}
        self.received = counter("dequeuer_messages_received_total", "Messages received.").child()
        self.acked = counter("dequeuer_messages_acked_total", "Messages that the queue was asked to delete.").child()
        self.lost = counter("dequeuer_leases_lost_total", "Leases lost while work was going on.").child()
        self.in_flight = gauge("dequeuer_in_flight", "Messages that are held at the moment.").child()
        self.busy = gauge("dequeuer_slots_busy", "Worker slots that are occupied.").child()
        self.slots = gauge("dequeuer_slots", "Worker slots at the moment.").child()
        self.slots.value = workers
        self.limit = gauge("dequeuer_concurrency_limit", "Worker slots found to be right, without trials.").child()
        self.limit.value = workers
        most = gauge("dequeuer_concurrency_maximum", "Worker slots that there can be.").child()
        most.value = workers
        changes = counter("dequeuer_concurrency_changes_total", "Steps of concurrency that finds itself.", "reason")
        self.changes = {reason: changes.child(reason) for reason in get_args(LimitReason)}
        given_back = counter(
            "dequeuer_messages_given_back_total", "Messages released before any work began on them.", "reason"
        )
        self.given_back = {reason: given_back.child(reason) for reason in get_args(GiveBackReason)}
        self.held = Histograms(
            registry,
            "dequeuer_message_held_seconds",
            "Time from receiving a message to settling it.",
            LONG_S,
        ).child()
        self.queue_time = Histograms(
            registry,
            "dequeuer_queue_time_seconds",
            "Time from the sending of a message to the POST of its work.",
            LONG_S,
        ).child()


class CallFamilies:
    """Calls to one service outside. Both families have a member for every operation from the start."""

    def __init__(self, registry: CollectorRegistry, service: Literal["source", "store"], text: str) -> None:
        operations = get_args(SourceOp) if service == "source" else get_args(StoreOp)
        calls = Values(
            registry,
            "counter",
            f"dequeuer_{service}_calls_total",
            f"Calls to {text}; error is none when it went well.",
            ["op", "error"],
        )
        seconds = Histograms(
            registry,
            f"dequeuer_{service}_call_seconds",
            f"Time that a call to {text} took.",
            CALL_S,
            ["op"],
        )
        self.calls = {(op, error): calls.child(op, error) for op in operations for error in ERRORS}
        self.seconds = {op: seconds.child(op) for op in operations}


class CredentialFamilies:
    """AWS credentials. Every provider has a member from the start: which one is asked is found out later."""

    def __init__(self, registry: CollectorRegistry) -> None:
        expiry = Values(
            registry,
            "gauge",
            "dequeuer_credentials_expiry_timestamp_seconds",
            "When the AWS credentials in use end, in seconds since the epoch; 0: never, not known, or none fetched.",
            ["provider"],
        )
        errors = Values(
            registry,
            "counter",
            "dequeuer_credentials_refresh_errors_total",
            "Attempts to fetch AWS credentials that failed.",
            ["provider"],
        )
        self.expiry = {name: expiry.child(name) for name in get_args(KeyProviderName)}
        self.errors = {name: errors.child(name) for name in get_args(KeyProviderName)}


class RefusalFamilies:
    """What SQS and S3 refuse for good. Every operation has a member from the start."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.total = Values(
            registry,
            "counter",
            "dequeuer_refused_total",
            "Calls that SQS or S3 refused for good (permission, KMS key, region, bucket), by its error code.",
            ["service", "op", "code"],
        )
        lasting = Values(
            registry,
            "gauge",
            "dequeuer_refused",
            "Whether the last call of an operation was refused for good (1).",
            ["service", "op"],
        )
        operations = [("sqs", op) for op in get_args(SourceOp)] + [("s3", op) for op in get_args(StoreOp)]
        self.lasting = {(service, op): lasting.child(service, op) for service, op in operations}
        for service, op in operations:
            # So that the rates of the usual ones work from zero.
            self.total.child(service, op, "AccessDenied")
            self.total.child(service, op, OTHER)


class ProbeFamilies:
    """Readiness. The names of probes are known once they have run."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.ready = Values(
            registry,
            "gauge",
            "dequeuer_ready",
            "Whether the container is ready (1) and messages are pulled.",
        ).child()
        self.not_http = Values(
            registry,
            "gauge",
            "dequeuer_container_not_http",
            "Whether nothing is pulled (1) because the container does not speak HTTP/1.",
        ).child()
        self.healthy = Values(
            registry,
            "gauge",
            "dequeuer_probe_healthy",
            "Whether a probe passes (1), its thresholds considered.",
            ["probe"],
        )
        self.runs = Values(
            registry,
            "counter",
            "dequeuer_probes_total",
            "Runs of a probe, by result.",
            ["probe", "ok"],
        )


def add_build_info(registry: CollectorRegistry) -> None:
    """Show which build this is."""
    family = Values(
        registry,
        "gauge",
        "dequeuer_build_info",
        "Always 1; the labels tell the version.",
        ["version", "python"],
    )
    family.child(__version__, platform.python_version()).value = 1
