"""The settings: options are declared once, and read from flags, environment and cluster.yaml."""

from dequeuer.settings.gateway import GatewaySettings
from dequeuer.settings.loading import load_gateway, load_sidecar
from dequeuer.settings.shared import AwsSettings, LogSettings
from dequeuer.settings.sidecar import SidecarSettings

__all__ = ["AwsSettings", "GatewaySettings", "LogSettings", "SidecarSettings", "load_gateway", "load_sidecar"]
