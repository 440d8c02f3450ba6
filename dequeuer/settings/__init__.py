"""The settings: one table of options, read from flags, environment and cluster.yaml."""

from dequeuer.settings.loading import load_gateway, load_sidecar
from dequeuer.settings.model import AwsSettings, GatewaySettings, LogSettings, SidecarSettings

__all__ = ["AwsSettings", "GatewaySettings", "LogSettings", "SidecarSettings", "load_gateway", "load_sidecar"]
