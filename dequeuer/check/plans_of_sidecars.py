"""What is checked for a sidecar and for the proxy, from their settings."""

from __future__ import annotations

from typing import Final

from dequeuer.check.plan import (
    AFTER_GRACE_S,
    MIB,
    SPARE_FILES,
    BucketNeed,
    ContainerNeed,
    Plan,
    PodNeed,
    PolicyNeed,
    QueueNeed,
)
from dequeuer.http.origin import LOCALHOST, LOCALHOST_IPV6
from dequeuer.jobs.layout import JobKeys
from dequeuer.policies.needs import CASES_OF_EVENTS, Case
from dequeuer.probes.spec import ProbeRules, load_probes
from dequeuer.settings import ProxySettings, SidecarSettings
from dequeuer.sinks.layout import ApiKeys, output_keys, workloads_prefix

MEMORY_BYTES: Final = 128 * MIB
"""The peaks of docs/performance.md, with room."""


def plan_of_sidecar(settings: SidecarSettings) -> Plan:
    """Return what the sidecar of an async API, a batch job or any queue needs."""
    urls = [(queue.url, "DEQUEUER_QUEUE_URLS") for queue in settings.queue_urls]
    objects_days = settings.result_retention_days if settings.api_kind == "async" else 0
    queues = [
        QueueNeed(
            url=url,
            option=option,
            use=settings.api_kind,
            max_attempts=settings.max_attempts if settings.api_kind == "async" else 0,
            keeps_s=settings.request_timeout_s * settings.max_attempts,
            keeps_because="DEQUEUER_REQUEST_TIMEOUT times DEQUEUER_MAX_ATTEMPTS",
            objects_days=objects_days,
        )
        for url, option in urls or [(settings.queue_url, "DEQUEUER_QUEUE_URL")]
    ]
    cases: set[Case] = {"own_key", "redrive"}
    if settings.webhook_queue_url is not None:
        cases.add("webhooks")
        queues.append(_sent_to(settings.webhook_queue_url, "DEQUEUER_WEBHOOK_QUEUE", "webhooks"))
    target = settings.events_target
    if target is not None:
        cases.add(CASES_OF_EVENTS[target.service])
        if target.service == "sqs":
            queues.append(_sent_to(target.address, "DEQUEUER_EVENTS_TARGET", "events"))
    buckets = _buckets_of_sidecar(settings, cases)
    return Plan(
        program="sidecar",
        aws=settings.aws,
        queues=queues,
        buckets=buckets,
        policies=PolicyNeed(program=settings.api_kind, cases=frozenset(cases)),
        container=_container(settings),
        pod=PodNeed(
            grace_s=settings.shutdown_grace_s + AFTER_GRACE_S,
            grace_because="DEQUEUER_SHUTDOWN_GRACE + 5 s",
            memory_bytes=MEMORY_BYTES,
            connections=4 * settings.max_workers + SPARE_FILES,
            ports={"DEQUEUER_ADMIN_PORT": settings.admin_port},
            admin_port=settings.admin_port,
            has_container=True,
            name=settings.pod.name,
            service_account=settings.pod.service_account,
        ),
    )


def _container(settings: SidecarSettings) -> ContainerNeed:
    host = settings.user_host
    return ContainerNeed(
        hosts=(LOCALHOST, LOCALHOST_IPV6) if host is None else (host,),
        port=settings.user_port,
        probes=load_probes(settings.probes_path, settings.user_port, host),
    )


def _sent_to(url: str, option: str, placeholder: str) -> QueueNeed:
    return QueueNeed(url=url, option=option, use="ends", placeholder=placeholder)


def _buckets_of_sidecar(settings: SidecarSettings, cases: set[Case]) -> list[BucketNeed]:
    """Return the buckets, and add the cases of the policies that they bring."""
    if settings.api_kind == "async":
        days = settings.result_retention_days
        if days:
            cases.add("expiry")
        requests = ApiKeys(settings.cluster_uid, settings.api_name).requests
        return [request_bucket(settings.bucket, requests, settings.cluster_uid, days)]
    if settings.api_kind == "queue":
        return _buckets_of_queue(settings, cases)
    return _buckets_of_job(settings, cases) if settings.has_job_objects else []


def request_bucket(bucket: str, below: str, cluster_uid: str, days: int) -> BucketNeed:
    """Return the bucket of requests. `days`: after which the lifecycle rule deletes them; 0: there is none."""
    return BucketNeed(
        name=bucket,
        option="DEQUEUER_BUCKET",
        below=below,
        rule_prefix=workloads_prefix(cluster_uid) if days else "",
        rule_days=days,
    )


def _buckets_of_queue(settings: SidecarSettings, cases: set[Case]) -> list[BucketNeed]:
    buckets = []
    if settings.queue.results is not None:
        cases.add("results")
        results = settings.queue.results
        buckets.append(BucketNeed(name=results.bucket, option="DEQUEUER_QUEUE_RESULTS", below=results.key))
    for name in settings.queue.payload_buckets:
        cases.add("payloads")
        if settings.queue.deletes_payloads:
            cases.add("payload_deletion")
        buckets.append(BucketNeed(name=name, option="DEQUEUER_QUEUE_PAYLOAD_BUCKETS", placeholder="payloads", below=""))
    return buckets


def _buckets_of_job(settings: SidecarSettings, cases: set[Case]) -> list[BucketNeed]:
    cases.add("job_objects")
    keys = JobKeys(
        cluster_uid=settings.cluster_uid,
        kind="BatchAPI",
        version=settings.cortex_version,
        api_name=settings.api_name,
        job_id=settings.job_id,
    )
    buckets = [BucketNeed(name=settings.bucket, option="DEQUEUER_BUCKET", below=keys.failures)]
    if settings.output is not None:
        cases.add("results")
        below = output_keys(settings.output.key, settings.job_id).folder("results")
        name, is_own = settings.output.bucket, settings.output.bucket == settings.bucket
        buckets.append(
            BucketNeed(name=name, option="DEQUEUER_OUTPUT", placeholder="output", below=below, is_own=is_own)
        )
    return buckets


def plan_of_proxy(settings: ProxySettings) -> Plan:
    """Return what the proxy needs: no AWS, a container, a pod."""
    host = settings.user_host
    concurrency = settings.max_concurrency
    rules = ProbeRules(leaves_others=True, always_has_default=settings.has_tcp_probe)
    most = concurrency if isinstance(concurrency, int) else concurrency.maximum
    return Plan(
        program="proxy",
        aws=None,
        container=ContainerNeed(
            hosts=(LOCALHOST, LOCALHOST_IPV6) if host is None else (host,),
            port=settings.user_port,
            probes=load_probes(settings.probes_path, settings.user_port, host, rules),
        ),
        pod=PodNeed(
            grace_s=settings.shutdown_delay_s + settings.shutdown_grace_s + AFTER_GRACE_S,
            grace_because="DEQUEUER_SHUTDOWN_DELAY + DEQUEUER_SHUTDOWN_GRACE + 5 s",
            memory_bytes=MEMORY_BYTES,
            connections=most + settings.max_queue_length + SPARE_FILES,
            raises_open_files=True,
            ports={"DEQUEUER_PROXY_PORT": settings.port, "DEQUEUER_ADMIN_PORT": settings.admin_port},
            admin_port=settings.admin_port,
            has_container=True,
            name=settings.pod.name,
            service_account=settings.pod.service_account,
        ),
    )
