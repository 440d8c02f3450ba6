"""The smallest valid environments, and functions that load settings from them."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from dequeuer.core.errors import ConfigurationError
from dequeuer.settings import SidecarSettings, load_sidecar

ASYNC = {
    "DEQUEUER_API_KIND": "AsyncAPI",
    "DEQUEUER_API_NAME": "my-api",
    "DEQUEUER_QUEUE_URL": "https://sqs.us-west-2.amazonaws.com/123456789012/my-queue",
    "DEQUEUER_CLUSTER_UID": "cluster-1",
    "DEQUEUER_BUCKET": "my-bucket",
}
BATCH = {
    "DEQUEUER_API_KIND": "BatchAPI",
    "DEQUEUER_API_NAME": "my-api",
    "DEQUEUER_QUEUE_URL": "https://sqs.us-west-2.amazonaws.com/123456789012/my-queue.fifo",
    "DEQUEUER_JOB_ID": "69b183ed6bdf3e9b",
}
QUEUE = {
    "DEQUEUER_API_KIND": "queue",
    "DEQUEUER_API_NAME": "my-api",
    "DEQUEUER_QUEUE_URL": "https://sqs.us-west-2.amazonaws.com/123456789012/uploads",
}
GATEWAY = {"DEQUEUER_BUCKET": "my-bucket", "DEQUEUER_CLUSTER_UID": "cluster-1"}

NOWHERE = "/nonexistent/cluster.yaml"


def load(argv: list[str], environ: Mapping[str, str], cluster_config: str = NOWHERE) -> SidecarSettings:
    """Load settings; there is no cluster.yaml unless one is named."""
    return load_sidecar(argv, environ, cluster_config=cluster_config)


def faults(argv: list[str], environ: Mapping[str, str], cluster_config: str = NOWHERE) -> tuple[str, ...]:
    """Return the faults."""
    with pytest.raises(ConfigurationError) as caught:
        load(argv, environ, cluster_config)
    return caught.value.faults


def without(environ: Mapping[str, str], *names: str) -> dict[str, str]:
    """Return the environment without these variables."""
    return {name: value for name, value in environ.items() if name not in names}
