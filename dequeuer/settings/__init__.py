"""The settings: options are declared once, and read from flags, environment and cluster.yaml."""

from dequeuer.settings.enqueuer import EnqueuerSettings
from dequeuer.settings.gateway import GatewaySettings
from dequeuer.settings.loading import load_enqueuer, load_gateway, load_sidecar
from dequeuer.settings.shared import AwsSettings, LogSettings
from dequeuer.settings.sidecar import SidecarSettings

__all__ = [
    "AwsSettings",
    "EnqueuerSettings",
    "GatewaySettings",
    "LogSettings",
    "SidecarSettings",
    "load_enqueuer",
    "load_gateway",
    "load_sidecar",
]
