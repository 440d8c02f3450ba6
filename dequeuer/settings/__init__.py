"""The settings: options are declared once, and read from flags, environment and cluster.yaml."""

from dequeuer.settings.access import AccessSettings
from dequeuer.settings.client_loading import load_ui
from dequeuer.settings.controller import ControllerSettings
from dequeuer.settings.enqueuer import EnqueuerSettings
from dequeuer.settings.gateway import GatewaySettings
from dequeuer.settings.loading import (
    load_controller,
    load_enqueuer,
    load_gateway,
    load_proxy,
    load_sidecar,
    load_webhooks,
)
from dequeuer.settings.proxy import ProxySettings
from dequeuer.settings.shared import AwsSettings, LogSettings
from dequeuer.settings.sidecar import SidecarSettings
from dequeuer.settings.ui import UiSettings
from dequeuer.settings.webhooks import WebhooksSettings

__all__ = [
    "AccessSettings",
    "AwsSettings",
    "ControllerSettings",
    "EnqueuerSettings",
    "GatewaySettings",
    "LogSettings",
    "ProxySettings",
    "SidecarSettings",
    "UiSettings",
    "WebhooksSettings",
    "load_controller",
    "load_enqueuer",
    "load_gateway",
    "load_proxy",
    "load_sidecar",
    "load_ui",
    "load_webhooks",
]
