"""The options of the program that delivers webhooks."""

from __future__ import annotations

from dequeuer.core.queue_limits import MAX_VISIBILITY_TIMEOUT_S
from dequeuer.settings.option import group, option, settings_class
from dequeuer.settings.parsers import BOOLEAN, PORT, seconds, whole, whole_seconds
from dequeuer.settings.shared import AwsSettings, LogSettings
from dequeuer.settings.text_parsers import BUCKET, HOSTS, NAME, PATH, STANDARD_QUEUE_URL, URL
from dequeuer.settings.webhook_rules import WebhookRuleSettings


@settings_class
class WebhooksSettings:
    """Delivers the webhooks of async APIs: signed, tried again for days, to public addresses only.

    Usage:
      dequeuer webhooks [flags]
    """

    bucket: str = option(BUCKET, "DEQUEUER_BUCKET", flag="bucket", required_for=("webhooks",))
    """S3 bucket of the async APIs. Receivers that want no more webhooks are recorded there."""
    queue_url: str = option(STANDARD_QUEUE_URL, "DEQUEUER_WEBHOOK_QUEUE", flag="queue", required_for=("webhooks",))
    """The queue that the sidecars send the ends of requests to."""
    keys_path: str | None = option(PATH, "DEQUEUER_WEBHOOK_KEYS", default=None)
    """File with the keys of the signatures, `whsec_<base64>`, one a line; it is read again when it changes."""
    unsigned: bool = option(BOOLEAN, "DEQUEUER_WEBHOOK_UNSIGNED", default="false")
    """Whether webhooks are sent without signatures, instead of `DEQUEUER_WEBHOOK_KEYS`: receivers cannot tell who has
    sent them."""
    results_url: str | None = option(URL, "DEQUEUER_WEBHOOK_RESULTS_URL", default=None, unset="bodies name no URL")
    """URL of the gateway, as receivers reach it: `result_url` of a body is below it."""
    workers: int = option(whole(1, 1000), "DEQUEUER_WEBHOOK_WORKERS", default="64")
    """Largest number of deliveries at a time."""
    per_host: int = option(whole(1, 1000), "DEQUEUER_WEBHOOK_PER_HOST", default="8")
    """Largest number of deliveries at a time to one host, so that a slow one does not hold up the others."""
    visibility_timeout_s: int = option(
        whole_seconds(2, MAX_VISIBILITY_TIMEOUT_S), "DEQUEUER_VISIBILITY_TIMEOUT", default="60"
    )
    """Length of the lease on a message. After a crash another process delivers the webhook within this time."""
    timeout_s: float = option(seconds(0, 120, above=True), "DEQUEUER_WEBHOOK_TIMEOUT", default="15")
    """Time for one delivery, from the look-up of the name to the head of the response."""
    max_age_s: float = option(seconds(60, 1_209_600), "DEQUEUER_WEBHOOK_MAX_AGE", default="259200")
    """How long a webhook is tried; then it is given up. The queue must keep its messages for longer."""
    cluster_uid: str = option(
        NAME,
        *("DEQUEUER_CLUSTER_UID", "CORTEX_CLUSTER_UID"),
        flag="cluster-uid",
        required_for=("webhooks",),
    )
    """Id of the cluster: the first part of the key of every object."""
    rules: WebhookRuleSettings = group(WebhookRuleSettings)
    admin_hosts: tuple[str, ...] = option(HOSTS, "DEQUEUER_ADMIN_HOST", default="0.0.0.0,::")
    """Addresses that the admin server (health, metrics) listens on."""
    admin_port: int = option(PORT, "DEQUEUER_ADMIN_PORT", flag="admin-port", default="15000")
    """Port of the admin server."""
    shutdown_grace_s: float = option(seconds(0, 86_400), "DEQUEUER_SHUTDOWN_GRACE", default="20")
    """Time after SIGTERM in which running deliveries may end."""
    aws: AwsSettings = group(AwsSettings)
    log: LogSettings = group(LogSettings)
