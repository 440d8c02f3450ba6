"""The options of the sidecar."""

from __future__ import annotations

from typing import Literal

from dequeuer.core.queue_limits import MAX_VISIBILITY_TIMEOUT_S
from dequeuer.formats.events_target import EventsTarget
from dequeuer.jobs.s3_path import S3Path
from dequeuer.settings.auto_workers import AutoWorkers, number_or_auto
from dequeuer.settings.option import group, option, settings_class
from dequeuer.settings.parsers import (
    BOOLEAN,
    OBJECT_SIZE,
    PORT,
    RETENTION_DAYS,
    STATUSES,
    Parser,
    choice,
    seconds,
    whole,
    whole_seconds,
)
from dequeuer.settings.pod import PodSettings
from dequeuer.settings.queue_kind import QueueSettings
from dequeuer.settings.shared import SharedSettings
from dequeuer.settings.text_parsers import (
    ADDRESS,
    BUCKET,
    EVENTS_TARGET,
    HOST,
    HOSTS,
    NAME,
    PATH,
    QUEUE_URL,
    S3_PATH,
    STANDARD_QUEUE_URL,
)
from dequeuer.settings.weighted_queues import WEIGHTED_QUEUES, WeightedQueue

ApiKind = Literal["async", "batch", "queue"]

API_KIND: Parser[ApiKind] = choice(
    "async",
    "batch",
    "queue",
    asyncapi="async",
    batchapi="batch",
    allowed="AsyncAPI, BatchAPI (async and batch mean the same) or queue; RealtimeAPI starts the proxy",
)
DEFAULT_CLUSTER_FILE = "/configs/cluster/cluster.yaml"
SHUTDOWN_GRACE_S: dict[ApiKind, float] = {"async": 55, "batch": 25, "queue": 55}
"""Below the 60 s and the 30 s that Kubernetes grants the pods of Cortex's async and batch APIs; any queue: as async."""
MAX_WORKERS = 1000
DEFAULT_MAX_AUTO_WORKERS = 100
"""Of `auto` without a number; the bound of a fixed number in Cortex."""

WORKERS: Parser[int | AutoWorkers] = number_or_auto(whole(1, MAX_WORKERS), DEFAULT_MAX_AUTO_WORKERS)


@settings_class
class SidecarSettings(SharedSettings):
    """Receives messages of an SQS queue and sends them to the container beside it.

    Usage:
      dequeuer [flags]              the sidecar
      dequeuer proxy [flags]        the sidecar of a realtime API
      dequeuer gateway [flags]      the HTTP API of async APIs: submit, status, result
      dequeuer enqueue [flags]      fills the queue of a batch job
      dequeuer controller [flags]   runs jobs to their end
      dequeuer webhooks [flags]     delivers the webhooks of async APIs
      dequeuer ui [flags]           a page about the APIs of a gateway, for a browser
      dequeuer check [PROGRAM]      looks at every precondition, and says what to do
      dequeuer manifests FILE       turns a cortex.yaml into values of the Helm chart
      dequeuer token                makes a token for a caller of the gateway
      dequeuer provision [flags]    creates queues and bucket of an API, or prints them
      dequeuer jobs COMMAND         submits, follows and stops jobs, at a gateway
      dequeuer COMMAND API          requests of async APIs at a gateway: submit, status, result, wait,
                                    cancel, tail, list, and dlq for dead letters
      dequeuer cortex COMMAND       Cortex's commands, at a gateway
      dequeuer dev [flags]          everything on this machine, without an AWS account
      dequeuer --version
    """

    api_kind: ApiKind = option(API_KIND, "DEQUEUER_API_KIND", flag="api-kind", required_for=("async", "batch", "queue"))
    """Kind of the API that the container serves. queue: none of Cortex's; it gets the messages of any SQS queue."""
    api_name: str = option(NAME, "DEQUEUER_API_NAME", flag="api-name", required_for=("async", "batch", "queue"))
    """Name of the API: part of the keys of an async API, and a label of logs and metrics."""
    queue_url: str = option(QUEUE_URL, "DEQUEUER_QUEUE_URL", flag="queue", required_for=("async", "batch", "queue"))
    """URL of the SQS queue that messages are received from."""
    queue_urls: tuple[WeightedQueue, ...] = option(
        WEIGHTED_QUEUES, "DEQUEUER_QUEUE_URLS", unset="only `DEQUEUER_QUEUE_URL` is used"
    )
    """Several queues instead of `DEQUEUER_QUEUE_URL`, each with its weight: while several have messages, each is served
    in proportion to its weight. For an async API and for any queue."""
    bucket: str = option(
        BUCKET,
        "DEQUEUER_BUCKET",
        unset="`bucket` of the cluster configuration",
        required_for=("async",),
        file_key="bucket",
    )
    """S3 bucket of the async APIs' payloads and results. For a batch API, with `DEQUEUER_OUTPUT` or
    `DEQUEUER_WORKER_ID`: the bucket of its jobs; else, and for any queue, it is not used."""
    output: S3Path | None = option(S3_PATH, "DEQUEUER_OUTPUT", default=None)
    """Where the results of the items of a batch job go: `output.s3_path` of its submission. The container then answers
    each batch with its results. Needs `DEQUEUER_BUCKET` and `DEQUEUER_CLUSTER_UID`."""
    job_id: str = option(NAME, "DEQUEUER_JOB_ID", flag="job-id", required_for=("batch",))
    """Id of the batch job; refused for other kinds."""
    user_host: str | None = option(
        HOST, "DEQUEUER_USER_HOST", default=None, unset="127.0.0.1, and ::1 where nobody listens on 127.0.0.1"
    )
    """Host of the container, if it listens on another address of the pod. Probes without a host use it, too."""
    user_port: int = option(PORT, "DEQUEUER_USER_PORT", "CORTEX_PORT", flag="user-port", default="8080")
    """Port of the container."""
    container_keepalive: bool = option(BOOLEAN, "DEQUEUER_CONTAINER_KEEPALIVE", default="true")
    """Whether connections to the container are used for more than one request. false is for a server that responds with
    200 before it has read the whole body."""
    admin_hosts: tuple[str, ...] = option(HOSTS, "DEQUEUER_ADMIN_HOST", default="0.0.0.0,::")
    """Addresses that the admin server (health, metrics) listens on. The default is every address of IPv4 and IPv6; a
    machine without one of the two listens on the other."""
    admin_port: int = option(PORT, "DEQUEUER_ADMIN_PORT", flag="admin-port", default="15000")
    """Port of the admin server; not that of the container."""
    workers: int | AutoWorkers = option(WORKERS, "DEQUEUER_WORKERS", flag="workers", default="1")
    """Largest number of requests that the container gets at a time. auto: the sidecar finds the number with the best
    throughput."""
    probes_path: str = option(PATH, "DEQUEUER_PROBES_PATH", flag="probes-path", default="/cortex/spec/probes.json")
    """Readiness probes of the containers; the file may be absent."""
    cluster_config: str | None = option(
        PATH,
        "DEQUEUER_CLUSTER_CONFIG",
        flag="cluster-config",
        default=None,
        unset=f"{DEFAULT_CLUSTER_FILE}, when it is there",
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
    connection. Any queue without a redrive policy: the number of failed attempts after which a message is deleted."""
    retry_statuses: frozenset[int] = option(STATUSES, "DEQUEUER_RETRY_STATUSES", default="429,503")
    """Statuses by which the container says "not now": the message is released and the request has not failed."""
    visibility_timeout_s: int = option(
        whole_seconds(2, MAX_VISIBILITY_TIMEOUT_S), "DEQUEUER_VISIBILITY_TIMEOUT", default="30"
    )
    """Length of the lease on a message. It is renewed at half its length; after a crash another sidecar gets the
    message within this time."""
    # 0 would send paid requests without a pause.
    poll_wait_s: int = option(whole_seconds(1, 20), "DEQUEUER_POLL_WAIT", default="20")
    """How long a receive waits at SQS while the queue is empty; 20 costs least. At most two thirds of
    DEQUEUER_VISIBILITY_TIMEOUT are used."""
    shutdown_grace_s: float = option(
        seconds(0, MAX_VISIBILITY_TIMEOUT_S),
        "DEQUEUER_SHUTDOWN_GRACE",
        unset=f"{SHUTDOWN_GRACE_S['batch']} s for batch, else {SHUTDOWN_GRACE_S['async']} s",
    )
    """Time to finish what is running after SIGTERM. The pod's terminationGracePeriodSeconds must be 5 s longer."""
    result_retention_days: int = option(RETENTION_DAYS, "DEQUEUER_RESULT_RETENTION_DAYS", default="7")
    """How long the objects of an async request are kept, by a lifecycle rule of the bucket; 0: the bucket's rules are
    left alone."""
    max_result_bytes: int = option(OBJECT_SIZE, "DEQUEUER_MAX_RESULT_BYTES", default="256MiB")
    """Largest response that is stored; a request with a larger one fails."""
    in_progress_after_s: float = option(seconds(0, MAX_VISIBILITY_TIMEOUT_S), "DEQUEUER_IN_PROGRESS_AFTER", default="1")
    """`status/in_progress` is written only for a request that still runs after this time; 0: at once."""
    webhook_queue_url: str | None = option(STANDARD_QUEUE_URL, "DEQUEUER_WEBHOOK_QUEUE", default=None)
    """SQS queue for the ends of requests of an async API that have a webhook; `dequeuer webhooks` reads it."""
    events_target: EventsTarget | None = option(EVENTS_TARGET, "DEQUEUER_EVENTS_TARGET", default=None)
    """Queue of SQS, topic of SNS or bus of EventBridge that gets the end of every request of an async API, in the form
    of the body of a webhook."""
    cancel_check_interval_s: float = option(seconds(0, 3600), "DEQUEUER_CANCEL_CHECK_INTERVAL", default="5")
    """Time between two looks for cancellations of an async API, while requests are in the container; each look lists S3
    once. 0: cancellations are not looked for."""
    pause_check_interval_s: float = option(seconds(0, 3600), "DEQUEUER_PAUSE_CHECK_INTERVAL", default="0")
    """Time between two looks whether an async API is paused; each reads S3 once, also while there is no work. 0: pauses
    are not looked for. The gateway needs the option, too."""
    progress: bool = option(BOOLEAN, "DEQUEUER_PROGRESS", default="false")
    """Whether the container of an async API may report how far a request is. Each POST then has the address in the
    header `X-Dequeuer-Progress-URL`."""
    completion_delay_s: float = option(seconds(0, 3600), "DEQUEUER_COMPLETION_DELAY", default="10")
    """Time between the two counts of the queue before a batch job counts as complete. The counts of SQS lag behind, so
    do not shorten it on AWS."""

    exit_when_empty: bool = option(BOOLEAN, "DEQUEUER_EXIT_WHEN_EMPTY", default="true")
    """Whether a batch job's sidecar ends when it has found the queue empty twice. false is for a queue that is still
    being filled: the sidecar ends by SIGTERM, which whoever runs the job sends when the job is over."""
    fail_when_stopped: bool = option(BOOLEAN, "DEQUEUER_FAIL_WHEN_STOPPED", default="false")
    """Whether the sidecar of a batch job ends with status 143 instead of 0 when it was stopped before it has seen that
    the queue is used up. A Job of Kubernetes needs it: the first pod that ends with 0 ends the Job as complete, also
    when that pod was evicted and batches are left."""
    exit_when_idle_s: float | None = option(
        seconds(1, 604_800), "DEQUEUER_EXIT_WHEN_IDLE", default=None, unset="it runs until SIGTERM"
    )
    """The sidecar of an async API or of any queue ends, with status 0, when every queue was found empty and nothing was
    in work for this time. Time in which the container is not ready, the API is paused or a queue is unavailable does
    not count."""
    max_messages: int | None = option(
        whole(1, 1_000_000_000), "DEQUEUER_MAX_MESSAGES", default=None, unset="their number does not matter"
    )
    """The sidecar of an async API or of any queue ends, with status 0, when this many messages have ended. It never
    holds more than are left. A message that is released to be tried again has not ended."""
    worker_id: str | None = option(NAME, "DEQUEUER_WORKER_ID", default=None, unset="counts are not stored")
    """Id of this run of a batch job's worker, different for each. With it, with `DEQUEUER_BUCKET` and
    `DEQUEUER_CLUSTER_UID`, the sidecar stores what it has done as `workers/<id>.json` among the objects of the job, and
    which batches failed for good below `failures/`."""

    queue: QueueSettings = group(QueueSettings)
    pod: PodSettings = group(PodSettings)

    @property
    def store_bucket(self) -> str:
        """A bucket that is used; "" when there is none."""
        return next(iter(self.queue.buckets), "") if self.api_kind == "queue" else self.bucket

    @property
    def has_job_objects(self) -> bool:
        """Whether this sidecar writes objects of a batch job."""
        return self.api_kind == "batch" and (self.output is not None or self.worker_id is not None)

    @property
    def max_workers(self) -> int:
        """The most requests that can be in flight."""
        return self.workers if isinstance(self.workers, int) else self.workers.maximum
