"""What is checked for the gateway, the webhooks, an enqueuer and a controller, from their settings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from dequeuer.check.plan import (
    AFTER_GRACE_S,
    MIB,
    SPARE_FILES,
    BucketNeed,
    CheckedProgram,
    FileFacts,
    Plan,
    PodNeed,
    PolicyNeed,
    QueueNeed,
)
from dequeuer.check.plans_of_sidecars import request_bucket
from dequeuer.formats.envelope import MAX_BYTES as MAX_ENVELOPE_BYTES
from dequeuer.jobs.layout import JobKeys
from dequeuer.policies.needs import Case
from dequeuer.settings import ControllerSettings, EnqueuerSettings, GatewaySettings, WebhooksSettings
from dequeuer.settings.gateway import DEFAULT_ADMIN_PORT
from dequeuer.sinks.layout import workloads_prefix

MEMORY_BYTES: Final[Mapping[CheckedProgram, int]] = {
    "gateway": 128 * MIB,
    "webhooks": 96 * MIB,
    "enqueuer": 128 * MIB,
    "controller": 192 * MIB,
}
"""The peaks of docs/performance.md, with room."""
GATEWAY_CONNECTIONS: Final = 1000
"""Fewer than clients that wait need."""
BATCH_BYTES: Final = 256_000
"""The largest batch of a job."""
HEADERS_BYTES: Final = 16 * 1024
"""Room for the headers of an inline request."""


def plan_of_gateway(settings: GatewaySettings) -> Plan:
    """Return what the gateway needs: the queues of all APIs, the bucket, its files."""
    from dequeuer.gateway.application import SHUTDOWN_TIMEOUT_S  # noqa: PLC0415 - it imports all of the gateway

    inline = settings.inline_bytes
    message_bytes = min(MAX_ENVELOPE_BYTES, inline * 4 // 3 + HEADERS_BYTES) if inline else 0
    queues = [
        QueueNeed(url=url, option="DEQUEUER_QUEUES", use="submissions", message_bytes=message_bytes)
        for url in settings.queue_urls
    ]
    days = settings.result_retention_days
    requests = workloads_prefix(settings.cluster_uid)
    bucket = request_bucket(settings.bucket, requests, settings.cluster_uid, days)
    cases: set[Case] = {"own_key"}
    if settings.apis_path is not None:
        cases.add("jobs")
    apis, tokens = settings.apis_path, settings.access.tokens_path
    is_refused = settings.access.tokens is not None and tokens is None
    return Plan(
        program="gateway",
        aws=settings.aws,
        queues=queues,
        buckets=[replace(bucket, jobs_below=f"{settings.cluster_uid}/jobs/")],
        policies=PolicyNeed(program="gateway", cases=frozenset(cases)),
        pod=PodNeed(
            grace_s=settings.shutdown_delay_s + SHUTDOWN_TIMEOUT_S + AFTER_GRACE_S,
            grace_because=f"DEQUEUER_SHUTDOWN_DELAY + {SHUTDOWN_TIMEOUT_S:g} s for running requests + 5 s",
            memory_bytes=MEMORY_BYTES["gateway"],
            connections=GATEWAY_CONNECTIONS + SPARE_FILES,
            raises_open_files=True,
            ports={
                "DEQUEUER_GATEWAY_PORT": settings.port,
                "DEQUEUER_ADMIN_PORT": settings.admin_port or DEFAULT_ADMIN_PORT,
            },
            admin_port=settings.admin_port or DEFAULT_ADMIN_PORT,
        ),
        files=(
            FileFacts(what="apis", path=apis, count=_count_apis(settings)),
            FileFacts(what="tokens", path=tokens, count=_count_callers(tokens), is_refused=is_refused),
        ),
    )


def _count_apis(settings: GatewaySettings) -> int | None:
    if settings.apis_path is None:
        return None
    from dequeuer.gateway.endpoints import load_endpoints  # noqa: PLC0415 - it takes 20 MiB

    return len(list(load_endpoints(settings.apis_path, settings.queues, settings.realtime_urls)))


def _count_callers(path: str | None) -> int | None:
    if path is None:
        return None
    from dequeuer.gateway.access.token_file import load_callers  # noqa: PLC0415 - only a gateway has one

    return len(load_callers(path))


def plan_of_webhooks(settings: WebhooksSettings) -> Plan:
    """Return what the program that delivers webhooks needs."""
    from dequeuer.webhooks.keys import load_keys  # noqa: PLC0415 - only this program has keys

    path = settings.keys_path
    queue = QueueNeed(
        url=settings.queue_url,
        option="DEQUEUER_WEBHOOK_QUEUE",
        use="webhooks",
        keeps_s=settings.max_age_s,
        keeps_because="DEQUEUER_WEBHOOK_MAX_AGE",
    )
    keys = FileFacts(
        what="keys", path=path, count=None if path is None else len(load_keys(path)), is_refused=settings.unsigned
    )
    return Plan(
        program="webhooks",
        aws=settings.aws,
        queues=[queue],
        buckets=[
            BucketNeed(name=settings.bucket, option="DEQUEUER_BUCKET", below=records_of_webhooks(settings.cluster_uid))
        ],
        policies=PolicyNeed(program="webhooks", cases=frozenset({"own_key"})),
        pod=PodNeed(
            grace_s=settings.shutdown_grace_s + AFTER_GRACE_S,
            grace_because="DEQUEUER_SHUTDOWN_GRACE + 5 s",
            memory_bytes=MEMORY_BYTES["webhooks"],
            connections=2 * settings.workers + SPARE_FILES,
            ports={"DEQUEUER_ADMIN_PORT": settings.admin_port},
            admin_port=settings.admin_port,
        ),
        files=(keys,),
    )


def records_of_webhooks(cluster_uid: str) -> str:
    """Return a prefix like those of the records about receivers, of an API that does not exist."""
    return f"{workloads_prefix(cluster_uid)}.dequeuer-check/_webhooks/"


def plan_of_enqueuer(settings: EnqueuerSettings) -> Plan:
    """Return what the enqueuer of a job needs."""
    keys = JobKeys(
        cluster_uid=settings.cluster_uid,
        kind="BatchAPI",
        version=settings.cortex_version,
        api_name=settings.api_name,
        job_id=settings.job_id,
    )
    return Plan(
        program="enqueuer",
        aws=settings.aws,
        queues=[QueueNeed(url=settings.queue_url, option="DEQUEUER_QUEUE_URL", use="job", message_bytes=BATCH_BYTES)],
        buckets=[BucketNeed(name=settings.bucket, option="DEQUEUER_BUCKET", below=keys.prefix)],
        policies=PolicyNeed(program="enqueuer", cases=frozenset({"own_key"})),
        pod=_pod_without_grace("enqueuer", settings.admin_port),
    )


def plan_of_controller(settings: ControllerSettings) -> Plan:
    """Return what a controller needs: the bucket; its queues are those of jobs, which it makes itself."""
    return Plan(
        program="controller",
        aws=settings.aws,
        buckets=[BucketNeed(name=settings.bucket, option="DEQUEUER_BUCKET", below=f"{settings.cluster_uid}/jobs/")],
        policies=PolicyNeed(program="controller", cases=frozenset({"own_key"})),
        pod=_pod_without_grace("controller", settings.admin_port),
    )


def _pod_without_grace(program: CheckedProgram, admin_port: int) -> PodNeed:
    return PodNeed(
        memory_bytes=MEMORY_BYTES[program],
        connections=SPARE_FILES,
        ports={"DEQUEUER_ADMIN_PORT": admin_port},
        admin_port=admin_port,
    )
