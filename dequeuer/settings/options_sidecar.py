"""The rows of the table that only the sidecar reads."""

from __future__ import annotations

from dequeuer.core.queue_limits import MAX_VISIBILITY_TIMEOUT_S
from dequeuer.settings.model import ApiKind
from dequeuer.settings.option import Option
from dequeuer.settings.parsers import LARGEST_OBJECT, choice, integers, port, seconds, size, whole, whole_seconds
from dequeuer.settings.places import ADDRESS, BUCKET, HOST, HOSTS, NAME, PATH, QUEUE_URL
from dequeuer.settings.workers import workers

DEFAULT_CLUSTER_CONFIG = "/configs/cluster/cluster.yaml"
SHUTDOWN_GRACE_S: dict[ApiKind, float] = {"async": 55, "batch": 25}
"""Below the 60 s and the 30 s that Kubernetes grants the pods of Cortex's async and batch APIs."""

_KINDS: dict[str, ApiKind] = {"asyncapi": "async", "async": "async", "batchapi": "batch", "batch": "batch"}

_SWITCH = {"true": True, "false": False}

API_KIND: Option[ApiKind] = Option(
    name="api_kind",
    flag="api-kind",
    env=("DEQUEUER_API_KIND",),
    parser=choice(_KINDS, "AsyncAPI or BatchAPI (async and batch mean the same)"),
    required_for=("async", "batch"),
    help="Kind of the API that the container serves.",
)
API_NAME = Option(
    name="api_name",
    flag="api-name",
    env=("DEQUEUER_API_NAME",),
    parser=NAME,
    required_for=("async", "batch"),
    help="Name of the API: part of the keys of an async API, and a label of logs and metrics.",
)
QUEUE = Option(
    name="queue_url",
    flag="queue",
    env=("DEQUEUER_QUEUE_URL",),
    parser=QUEUE_URL,
    required_for=("async", "batch"),
    help="URL of the SQS queue to work off.",
)
SIDECAR_BUCKET = Option(
    name="bucket",
    env=("DEQUEUER_BUCKET",),
    parser=BUCKET,
    default_note="`bucket` of the cluster configuration",
    required_for=("async",),
    file_key="bucket",
    help="S3 bucket of the async APIs' payloads and results.",
)
JOB_ID = Option(
    name="job_id",
    flag="job-id",
    env=("DEQUEUER_JOB_ID",),
    parser=NAME,
    required_for=("batch",),
    help="Id of the batch job; refused for an async API.",
)
USER_PORT = Option(
    name="user_port",
    flag="user-port",
    env=("DEQUEUER_USER_PORT", "CORTEX_PORT"),
    parser=port(),
    default="8080",
    help="Port of the container.",
)
USER_HOST = Option(
    name="user_host",
    env=("DEQUEUER_USER_HOST",),
    parser=HOST,
    default_note="127.0.0.1, and ::1 where nobody listens on 127.0.0.1",
    help="Host of the container, for one that listens on another address of the pod. Probes that name no host ask it, "
    "too.",
)
CONTAINER_KEEPALIVE = Option(
    name="container_keepalive",
    env=("DEQUEUER_CONTAINER_KEEPALIVE",),
    parser=choice(_SWITCH, "true or false"),
    default="true",
    help="Whether connections to the container are used for more than one request. false is for a server that answers "
    "200 without having read the whole body.",
)
ADMIN_HOST = Option(
    name="admin_hosts",
    env=("DEQUEUER_ADMIN_HOST",),
    parser=HOSTS,
    default="0.0.0.0,::",
    help="Addresses that the admin server (health, metrics) listens on. The default is every address, of IPv4 and "
    "IPv6; of these two, one that the machine lacks is left out.",
)
ADMIN_PORT = Option(
    name="admin_port",
    flag="admin-port",
    env=("DEQUEUER_ADMIN_PORT",),
    parser=port(),
    default="15000",
    help="Port of the admin server; not that of the container.",
)
WORKERS = Option(
    name="workers",
    flag="workers",
    env=("DEQUEUER_WORKERS",),
    parser=workers(),
    default="1",
    help="Requests that the container is given at a time, at most. auto: the sidecar finds the number that gets the "
    "most done.",
)
PROBES_PATH = Option(
    name="probes_path",
    flag="probes-path",
    env=("DEQUEUER_PROBES_PATH",),
    parser=PATH,
    default="/cortex/spec/probes.json",
    help="Readiness probes of the containers; the file may be absent.",
)
CLUSTER_CONFIG = Option(
    name="cluster_config",
    flag="cluster-config",
    env=("DEQUEUER_CLUSTER_CONFIG",),
    parser=PATH,
    default_note=f"{DEFAULT_CLUSTER_CONFIG}, when it is there",
    help="Cluster configuration, a YAML file of which `region` and `bucket` are read.",
)
STATSD_ADDRESS = Option(
    name="statsd_address",
    flag="statsd-address",
    env=("DEQUEUER_STATSD_ADDRESS",),
    parser=ADDRESS,
    help="Where the metrics of a batch API are sent over UDP, besides being there for Prometheus.",
)
REQUEST_TIMEOUT = Option(
    name="request_timeout_s",
    env=("DEQUEUER_REQUEST_TIMEOUT",),
    parser=seconds(0, MAX_VISIBILITY_TIMEOUT_S - 300, above=True),
    default="39600",
    unit="s",
    help="Time for one whole answer of the container; it ends before the 12 hours that an SQS receipt lasts.",
)
MAX_ATTEMPTS = Option(
    name="max_attempts",
    env=("DEQUEUER_MAX_ATTEMPTS",),
    parser=whole(1, 1000),
    default="5",
    help="Receives after which a message is given up, when the container could not be reached or broke off.",
)
RETRY_STATUSES = Option(
    name="retry_statuses",
    env=("DEQUEUER_RETRY_STATUSES",),
    parser=integers(100, 599, but=200, what="HTTP statuses"),
    default="429,503",
    empty_counts=True,
    help="Statuses by which the container says later: the request is given back and has not failed.",
)
VISIBILITY_TIMEOUT = Option(
    name="visibility_timeout_s",
    env=("DEQUEUER_VISIBILITY_TIMEOUT",),
    parser=whole_seconds(2, MAX_VISIBILITY_TIMEOUT_S),
    default="30",
    unit="s",
    help="Length of the lease on a message, renewed at half: how soon another worker has it after a crash.",
)
SHUTDOWN_GRACE = Option(
    name="shutdown_grace_s",
    env=("DEQUEUER_SHUTDOWN_GRACE",),
    parser=seconds(0, MAX_VISIBILITY_TIMEOUT_S),
    default_note="55 s for async, 25 s for batch",
    help="Time to finish what is running after SIGTERM; keep it below the pod's terminationGracePeriodSeconds.",
)
RESULT_RETENTION = Option(
    name="result_retention_days",
    env=("DEQUEUER_RESULT_RETENTION_DAYS",),
    parser=whole(0, 3650, "whole days"),
    default="7",
    unit="days",
    help="How long the objects of an async request are kept, by a lifecycle rule of the bucket; "
    "0: the bucket's rules are left alone.",
)
MAX_RESULT_BYTES = Option(
    name="max_result_bytes",
    env=("DEQUEUER_MAX_RESULT_BYTES",),
    parser=size(1, LARGEST_OBJECT, "48GiB"),
    default="256MiB",
    help="Largest answer that is stored; a request with a larger one has failed.",
)
POLL_WAIT = Option(
    name="poll_wait_s",
    env=("DEQUEUER_POLL_WAIT",),
    parser=whole_seconds(1, 20),  # 0 would ask, and pay, without a pause
    default="20",
    unit="s",
    help="How long SQS holds a receive while the queue is empty; 20 costs least. "
    "Two thirds of DEQUEUER_VISIBILITY_TIMEOUT at most are used.",
)
IN_PROGRESS_AFTER = Option(
    name="in_progress_after_s",
    env=("DEQUEUER_IN_PROGRESS_AFTER",),
    parser=seconds(0, MAX_VISIBILITY_TIMEOUT_S),
    default="1",
    unit="s",
    help="`status/in_progress` is written only for a request that still runs after this time; 0: at once.",
)
COMPLETION_DELAY = Option(
    name="completion_delay_s",
    env=("DEQUEUER_COMPLETION_DELAY",),
    parser=seconds(0, 3600),
    default="10",
    unit="s",
    help="Time between the two looks at the queue before a batch job is taken as complete; "
    "SQS counts lag behind, so do not shorten it on AWS.",
)
