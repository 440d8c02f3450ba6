"""The options of the realtime proxy."""

from __future__ import annotations

from typing import Literal

from dequeuer.settings.auto_workers import AutoWorkers, number_or_auto
from dequeuer.settings.option import group, option, settings_class
from dequeuer.settings.parsers import BOOLEAN, PORT, choice, seconds, share, size, whole
from dequeuer.settings.pod import PodSettings
from dequeuer.settings.shared import LogSettings
from dequeuer.settings.text_parsers import HOST, HOSTS, NAME, PATH

MAX_REQUESTS = 30_000
"""The bound of both numbers in Cortex."""
DEFAULT_MAX_AUTO_CONCURRENCY = 100

_NUMBER = whole(1, MAX_REQUESTS)
_GO_BOOLEAN = choice(
    *(True, False), allowed="true or false (1, t, 0 and f, too)", **{"1": True, "t": True, "0": False, "f": False}
)
"""What Go's `strconv.ParseBool` takes, which reads Cortex's flags."""


@settings_class
class ProxySettings:
    """The sidecar of a realtime API: forwards requests to the container beside it, a bounded number at a time.

    Usage:
      dequeuer proxy [flags]
    """

    api_kind: Literal["realtime"] = option(
        choice("realtime", realtimeapi="realtime", allowed="RealtimeAPI (realtime means the same)"),
        "DEQUEUER_API_KIND",
        flag="api-kind",
        default="realtime",
    )
    """Kind of the API that the container serves. With it `dequeuer` without a command is `dequeuer proxy`."""
    api_name: str | None = option(NAME, "DEQUEUER_API_NAME", flag="api-name", default=None)
    """Name of the API: a field of every log line."""
    hosts: tuple[str, ...] = option(HOSTS, "DEQUEUER_PROXY_HOST", default="0.0.0.0,::")
    """Addresses that the proxy listens on. The default is every address of IPv4 and IPv6; a machine without one of
    the two listens on the other."""
    port: int = option(PORT, "DEQUEUER_PROXY_PORT", flag="port", default="8000")
    """Port of the proxy; neither that of the container nor that of the admin server."""
    admin_hosts: tuple[str, ...] = option(HOSTS, "DEQUEUER_ADMIN_HOST", default="0.0.0.0,::")
    """Addresses that the admin server (health, metrics, drain) listens on."""
    admin_port: int = option(PORT, "DEQUEUER_ADMIN_PORT", flag="admin-port", default="15000")
    """Port of the admin server."""
    user_host: str | None = option(
        HOST, "DEQUEUER_USER_HOST", default=None, unset="127.0.0.1, and ::1 where nobody listens on 127.0.0.1"
    )
    """Host of the container, if it listens on another address of the pod. Probes without a host use it, too."""
    user_port: int = option(PORT, "DEQUEUER_USER_PORT", "CORTEX_PORT", flag="user-port", default="8080")
    """Port of the container."""
    container_keepalive: bool = option(BOOLEAN, "DEQUEUER_CONTAINER_KEEPALIVE", default="true")
    """Whether connections to the container are used for more than one request. false is for a server that responds
    before it has read the whole body."""
    max_concurrency: int | AutoWorkers = option(
        number_or_auto(_NUMBER, DEFAULT_MAX_AUTO_CONCURRENCY),
        "DEQUEUER_MAX_CONCURRENCY",
        flag="max-concurrency",
        required_for=("proxy",),
    )
    """Largest number of requests that the container gets at a time; streams and WebSockets count until their end.
    auto: the proxy finds the number with the best throughput."""
    max_queue_length: int = option(
        _NUMBER, "DEQUEUER_MAX_QUEUE_LENGTH", flag="max-queue-length", required_for=("proxy",)
    )
    """Largest number of requests that wait, in the order in which they came; the next one gets 503."""
    queue_timeout_s: float = option(seconds(0, 86_400), "DEQUEUER_QUEUE_TIMEOUT", default="0")
    """How long a request waits at most, then it gets 503; 0: without a limit, as in Cortex."""
    ready_timeout_s: float = option(seconds(0, 86_400), "DEQUEUER_READY_TIMEOUT", default="10")
    """How long a request waits for the container to be ready, then it gets 503."""
    request_timeout_s: float = option(seconds(0, 86_400), "DEQUEUER_REQUEST_TIMEOUT", default="0")
    """Time for the head of the response, then the client gets 504; 0: without a limit, as in Cortex."""
    head_timeout_s: float = option(seconds(0, 3600, above=True), "DEQUEUER_HEAD_TIMEOUT", default="10")
    """Time in which the head of a request must arrive, then the client gets 408."""
    body_timeout_s: float = option(seconds(0, 86_400, above=True), "DEQUEUER_BODY_TIMEOUT", default="60")
    """Longest pause of a client that sends a body (then 408), or that does not read its response (then the connection
    is closed)."""
    keepalive_timeout_s: float = option(seconds(0, 86_400, above=True), "DEQUEUER_KEEPALIVE_TIMEOUT", default="75")
    """How long a client's connection may be idle. Load balancers should close theirs earlier: AWS's do after 60 s."""
    max_connections: int = option(whole(1, 1_000_000), "DEQUEUER_MAX_CONNECTIONS", default="10000")
    """Largest number of client connections. Above it the one that has been idle longest is closed."""
    max_body_bytes: int = option(size(0, 2**50, "1PiB"), "DEQUEUER_MAX_BODY_BYTES", default="0")
    """Largest body of a request; a larger one gets 413. 0: without a limit."""
    has_tcp_probe: bool = option(
        _GO_BOOLEAN, "DEQUEUER_HAS_TCP_PROBE", flag="has-tcp-probe", default="false", is_switch=True
    )
    """Whether the container counts as ready only while its port accepts connections, besides the probes of
    `DEQUEUER_PROBES_PATH`. Without any probe it does in any case."""
    probes_path: str = option(PATH, "DEQUEUER_PROBES_PATH", default="/cortex/spec/probes.json")
    """Readiness probes of the containers; the file may be absent. `exec` and `grpc` are left to the kubelet."""
    cluster_config: str | None = option(PATH, "DEQUEUER_CLUSTER_CONFIG", flag="cluster-config", default=None)
    """Taken because Cortex gives it; nothing is read from it."""
    shutdown_delay_s: float = option(seconds(0, 3600), "DEQUEUER_SHUTDOWN_DELAY", default="5")
    """Time after SIGTERM in which requests are served as ever while `/healthz` fails, so that load balancers stop
    sending before the proxy closes its listeners."""
    shutdown_grace_s: float = option(seconds(0, 86_400), "DEQUEUER_SHUTDOWN_GRACE", default="50")
    """Time after that in which running requests may end. The pod's terminationGracePeriodSeconds must be 5 s longer
    than both together."""
    access_log: float = option(share(), "DEQUEUER_ACCESS_LOG", default="0")
    """Share of the requests that are logged, with a line each: method, path, status, times, bytes. Queries lose their
    values; headers are never logged."""
    pod: PodSettings = group(PodSettings)
    log: LogSettings = group(LogSettings)
