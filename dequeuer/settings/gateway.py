"""The options of the gateway."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from dequeuer.settings.access import AccessSettings
from dequeuer.settings.option import group, option, settings_class
from dequeuer.settings.parsers import BOOLEAN, OBJECT_SIZE, PORT, RETENTION_DAYS, seconds, size
from dequeuer.settings.priority_queues import PRIORITY_QUEUES, all_queue_urls
from dequeuer.settings.shared import SharedSettings
from dequeuer.settings.text_parsers import API_URLS, BUCKET, HOSTS, PATH, QUEUES, STANDARD_QUEUE_URL, WEBHOOKS
from dequeuer.settings.webhook_rules import WebhookRuleSettings

DEFAULT_ADMIN_PORT: Final = 15000
"""Where nobody chose one, and no other program has it."""


@settings_class
class GatewaySettings(SharedSettings):
    """The HTTP API of async and realtime APIs: stores requests, returns results; or forwards.

    Usage:
      dequeuer gateway [flags]
    """

    bucket: str = option(BUCKET, "DEQUEUER_BUCKET", flag="bucket", required_for=("gateway",))
    """S3 bucket of the async APIs' payloads and results."""
    hosts: tuple[str, ...] = option(HOSTS, "DEQUEUER_GATEWAY_HOST", default="0.0.0.0,::")
    """Addresses that the gateway listens on. The default is every address of IPv4 and IPv6; a machine without one of
    the two listens on the other."""
    port: int = option(PORT, "DEQUEUER_GATEWAY_PORT", flag="port", default="8080")
    """Port of the gateway."""
    admin_hosts: tuple[str, ...] = option(HOSTS, "DEQUEUER_ADMIN_HOST", default="0.0.0.0,::")
    """Addresses that the admin server (health, metrics) listens on."""
    admin_port: int | None = option(
        PORT,
        "DEQUEUER_ADMIN_PORT",
        flag="admin-port",
        default=None,
        unset=f"{DEFAULT_ADMIN_PORT}; where another program has it, none, and a warning says so",
    )
    """Port of the admin server; not that of the gateway."""
    shutdown_delay_s: float = option(seconds(0, 3600), "DEQUEUER_SHUTDOWN_DELAY", default="5")
    """Time after SIGTERM in which the gateway continues to serve while `/healthz` returns 503, so that load balancers
    stop sending before it closes. Running requests get up to 30 s after that."""
    queues: Mapping[str, str] = option(
        QUEUES, "DEQUEUER_QUEUES", unset="none: only requests that name their queue, as Cortex's do, are accepted"
    )
    """The APIs that are served and their queues."""
    priority_queues: Mapping[str, Mapping[str, str]] = option(
        PRIORITY_QUEUES, "DEQUEUER_PRIORITY_QUEUES", unset="none: each API has its queue of `DEQUEUER_QUEUES` alone"
    )
    """More queues of APIs in `DEQUEUER_QUEUES`: a submission with `X-Dequeuer-Priority: high` goes to the queue of
    `name/high`, one without that header to the API's own."""
    fair_queues: bool = option(BOOLEAN, "DEQUEUER_FAIR_QUEUES", default="false")
    """Whether the message group of a request in a standard queue is the name of its caller: SQS then gives out the
    messages of others before those of a caller who fills the queue. Needs a file in `DEQUEUER_TOKENS`."""
    apis_path: str | None = option(PATH, "DEQUEUER_APIS", default=None)
    """A `cortex.yaml` with the APIs that are served. The `networking.endpoint` of each AsyncAPI is a path of the
    gateway besides its name; each AsyncAPI needs its queue in `DEQUEUER_QUEUES`. BatchAPIs and TaskAPIs
    take jobs; requests to the endpoint of a RealtimeAPI are forwarded to it."""
    realtime_urls: Mapping[str, tuple[str, int]] = option(
        API_URLS, "DEQUEUER_REALTIME_URLS", unset="http://api-<name>:8888 for each RealtimeAPI, as in Cortex's clusters"
    )
    """Addresses of RealtimeAPIs of `DEQUEUER_APIS`, where they are not at the default one."""
    max_payload_bytes: int = option(OBJECT_SIZE, "DEQUEUER_MAX_PAYLOAD_BYTES", default="1GiB")
    """Largest payload that is accepted."""
    inline_bytes: int = option(size(0, 128 * 1024, "128KiB"), "DEQUEUER_INLINE_BYTES", default="0")
    """Payloads up to this size are sent inside the queue message. 0: none is, which Cortex's own dequeuer needs."""
    result_retention_days: int = option(RETENTION_DAYS, "DEQUEUER_RESULT_RETENTION_DAYS", default="7")
    """How long the bucket keeps a request, as its sidecars have it: no deadline may be further ahead. 0: not known."""
    pause_check_interval_s: float = option(seconds(0, 3600), "DEQUEUER_PAUSE_CHECK_INTERVAL", default="0")
    """As the sidecars of the async APIs have it. Unless it is 0, their APIs can be paused."""
    webhook_queue_url: str | None = option(STANDARD_QUEUE_URL, "DEQUEUER_WEBHOOK_QUEUE", default=None)
    """The queue of webhooks, as the sidecars of all async APIs have it. With it submissions may name a webhook."""
    webhooks: Mapping[str, str] = option(WEBHOOKS, "DEQUEUER_WEBHOOKS", unset="none")
    """Receivers of the webhooks of APIs, for submissions that name none; needs `DEQUEUER_WEBHOOK_QUEUE`."""
    webhook_rules: WebhookRuleSettings = group(WebhookRuleSettings)
    access: AccessSettings = group(AccessSettings)

    @property
    def queue_urls(self) -> tuple[str, ...]:
        """The queues of all APIs."""
        return all_queue_urls(self.queues, self.priority_queues)
