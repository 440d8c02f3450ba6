"""The options that say which receivers of webhooks are allowed: of the gateway, and of `dequeuer webhooks`."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network

from dequeuer.settings.option import option, settings_class
from dequeuer.settings.parsers import BOOLEAN
from dequeuer.settings.text_parsers import NETWORKS


@settings_class
class WebhookRuleSettings:
    """Which receivers are allowed."""

    allowed: tuple[IPv4Network | IPv6Network, ...] = option(
        NETWORKS, "DEQUEUER_WEBHOOK_ALLOW", unset="none: only public addresses get webhooks"
    )
    """Networks whose addresses may get webhooks although they are not public."""
    allows_http: bool = option(BOOLEAN, "DEQUEUER_WEBHOOK_HTTP", default="false")
    """Whether webhooks may be sent over http, too: everybody on the way can read them."""
