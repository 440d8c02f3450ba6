"""The options of the sidecar."""

from __future__ import annotations

from typing import Literal

from dequeuer.core.queue_limits import MAX_VISIBILITY_TIMEOUT_S
from dequeuer.settings.name_parsers import BUCKET, NAME, PATH
from dequeuer.settings.option import option, settings_class
from dequeuer.settings.parsers import (
    MAX_OBJECT_BYTES,
    choice,
    integers,
    port_number,
    seconds,
    size,
    whole,
    whole_days,
    whole_seconds,
)
from dequeuer.settings.shared import SharedSettings
from dequeuer.settings.url_parsers import ADDRESS, HOST, HOSTS, QUEUE_URL
from dequeuer.settings.workers import AutoWorkers, worker_count

ApiKind = Literal["async", "batch"]

DEFAULT_CLUSTER_CONFIG = "/configs/cluster/cluster.yaml"
SHUTDOWN_GRACE_S: dict[ApiKind, float] = {"async": 55, "batch": 25}
"""Below the 60 s and the 30 s that Kubernetes grants the pods of Cortex's async and batch APIs."""


@settings_class
class SidecarSettings(SharedSettings):
    """The settings of the sidecar."""

    api_kind: ApiKind = option(
        choice(
            {"asyncapi": "async", "async": "async", "batchapi": "batch", "batch": "batch"},
            "AsyncAPI or BatchAPI (async and batch mean the same)",
        ),
        "DEQUEUER_API_KIND",
        flag="api-kind",
        required_for=("async", "batch"),
    )
    """Kind of the API that the container serves."""
    api_name: str = option(NAME, "DEQUEUER_API_NAME", flag="api-name", required_for=("async", "batch"))
    """Name of the API: part of the keys of an async API, and a label of logs and metrics."""
    queue_url: str = option(QUEUE_URL, "DEQUEUER_QUEUE_URL", flag="queue", required_for=("async", "batch"))
    """URL of the SQS queue that messages are received from."""
    bucket: str = option(
        BUCKET,
        "DEQUEUER_BUCKET",
        default_note="`bucket` of the cluster configuration",
        required_for=("async",),
        file_key="bucket",
    )
    """S3 bucket of the async APIs' payloads and results."""
    job_id: str = option(NAME, "DEQUEUER_JOB_ID", flag="job-id", required_for=("batch",))
    """Id of the batch job; refused for an async API."""
    user_host: str | None = option(
        HOST, "DEQUEUER_USER_HOST", default=None, default_note="127.0.0.1, and ::1 where nobody listens on 127.0.0.1"
    )
    """Host of the container, if it listens on another address of the pod. Probes without a host use it, too."""
    user_port: int = option(port_number(), "DEQUEUER_USER_PORT", "CORTEX_PORT", flag="user-port", default="8080")
    """Port of the container."""
    container_keepalive: bool = option(
        choice({"true": True, "false": False}, "true or false"), "DEQUEUER_CONTAINER_KEEPALIVE", default="true"
    )
    """Whether connections to the container are used for more than one request. false is for a server that responds with
    200 before it has read the whole body."""
    admin_hosts: tuple[str, ...] = option(HOSTS, "DEQUEUER_ADMIN_HOST", default="0.0.0.0,::")
    """Addresses that the admin server (health, metrics) listens on. The default is every address of IPv4 and IPv6; a
    machine without one of the two listens on the other."""
    admin_port: int = option(port_number(), "DEQUEUER_ADMIN_PORT", flag="admin-port", default="15000")
    """Port of the admin server; not that of the container."""
    workers: int | AutoWorkers = option(worker_count(), "DEQUEUER_WORKERS", flag="workers", default="1")
    """Largest number of requests that the container gets at a time. auto: the sidecar finds the number with the best
    throughput."""
    probes_path: str = option(PATH, "DEQUEUER_PROBES_PATH", flag="probes-path", default="/cortex/spec/probes.json")
    """Readiness probes of the containers; the file may be absent."""
    cluster_config: str | None = option(
        PATH,
        "DEQUEUER_CLUSTER_CONFIG",
        flag="cluster-config",
        default=None,
        default_note=f"{DEFAULT_CLUSTER_CONFIG}, when it is there",
    )
    """Cluster configuration, a YAML file; only `region` and `bucket` are read."""
    statsd_address: tuple[str, int] | None = option(
        ADDRESS, "DEQUEUER_STATSD_ADDRESS", flag="statsd-address", default=None
    )
    """Address that the metrics of a batch API are sent to over UDP; Prometheus can read them, too."""
    request_timeout_s: float = option(
        seconds(0, MAX_VISIBILITY_TIMEOUT_S - 300, above=True), "DEQUEUER_REQUEST_TIMEOUT", default="39600"
    )
    """Time for one whole response of the container. The maximum is less than the 12 hours for which an SQS receipt is
    valid."""
    max_attempts: int = option(whole(1, 1000), "DEQUEUER_MAX_ATTEMPTS", default="5")
    """Number of receives after which a request or batch fails when the container cannot be reached or breaks the
    connection."""
    retry_statuses: frozenset[int] = option(
        integers(100, 599, but=200, what="HTTP statuses"), "DEQUEUER_RETRY_STATUSES", default="429,503"
    )
    """Statuses by which the container says "not now": the message is released and the request has not failed."""
    visibility_timeout_s: int = option(
        whole_seconds(2, MAX_VISIBILITY_TIMEOUT_S), "DEQUEUER_VISIBILITY_TIMEOUT", default="30"
    )
    """Length of the lease on a message. It is renewed at half its length; after a crash another worker gets the message
    within this time."""
    # 0 would send paid requests without a pause.
    poll_wait_s: int = option(whole_seconds(1, 20), "DEQUEUER_POLL_WAIT", default="20")
    """How long a receive waits at SQS while the queue is empty; 20 costs least. At most two thirds of
    DEQUEUER_VISIBILITY_TIMEOUT are used."""
    shutdown_grace_s: float = option(
        seconds(0, MAX_VISIBILITY_TIMEOUT_S),
        "DEQUEUER_SHUTDOWN_GRACE",
        default_note=f"{SHUTDOWN_GRACE_S['async']} s for async, {SHUTDOWN_GRACE_S['batch']} s for batch",
    )
    """Time to finish what is running after SIGTERM; keep it below the pod's terminationGracePeriodSeconds."""
    result_retention_days: int = option(whole_days(0, 3650), "DEQUEUER_RESULT_RETENTION_DAYS", default="7")
    """How long the objects of an async request are kept, by a lifecycle rule of the bucket; 0: the bucket's rules are
    left alone."""
    max_result_bytes: int = option(size(1, MAX_OBJECT_BYTES, "48GiB"), "DEQUEUER_MAX_RESULT_BYTES", default="256MiB")
    """Largest response that is stored; a request with a larger one fails."""
    in_progress_after_s: float = option(seconds(0, MAX_VISIBILITY_TIMEOUT_S), "DEQUEUER_IN_PROGRESS_AFTER", default="1")
    """`status/in_progress` is written only for a request that still runs after this time; 0: at once."""
    completion_delay_s: float = option(seconds(0, 3600), "DEQUEUER_COMPLETION_DELAY", default="10")
    """Time between the two counts of the queue before a batch job counts as complete. The counts of SQS lag behind, so
    do not shorten it on AWS."""

    @property
    def max_workers(self) -> int:
        """The most requests that can be in flight."""
        return self.workers if isinstance(self.workers, int) else self.workers.maximum
