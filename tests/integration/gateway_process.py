"""The gateway as a process, configured by environment variables only."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from tests.integration.cloud import CLUSTER, KEYS, REGION, Bucket
from tests.integration.servers import free_port
from tests.integration.sidecar import AWS_CLIENT, Sidecar
from tests.integration.waiting import eventually

NOTHING: Mapping[str, str] = MappingProxyType({})


class Gateway(Sidecar):
    """One process that serves the API `api`.

    Args:
        endpoint: URL of SQS and S3.
        bucket: where requests are stored.
        queue_url: the queue of the API.
        apis: a cortex.yaml with APIs that have jobs.
        port: to listen on; 0: a free one.
        more: further variables.
        api_name: of the queue.
    """

    def __init__(
        self,
        endpoint: str,
        bucket: Bucket,
        queue_url: str,
        *,
        apis: Path | None = None,
        port: int = 0,
        more: Mapping[str, str] = NOTHING,
        api_name: str = "api",
    ) -> None:
        self.port = port or free_port()
        settings = {
            **KEYS,
            "AWS_REGION": REGION,
            "AWS_ENDPOINT_URL": endpoint,
            "DEQUEUER_BUCKET": bucket.name,
            "DEQUEUER_CLUSTER_UID": CLUSTER,
            "DEQUEUER_GATEWAY_HOST": "127.0.0.1",
            "DEQUEUER_GATEWAY_PORT": str(self.port),
            "DEQUEUER_SHUTDOWN_DELAY": "0",
            **({"DEQUEUER_QUEUES": f"{api_name}={queue_url}"} if apis is None else {"DEQUEUER_APIS": str(apis)}),
            "DEQUEUER_LOG_FORMAT": "json",
            **AWS_CLIENT,
            **more,
        }
        super().__init__(settings, "gateway")

    def call(self, path: str, payload: bytes | None = None, method: str | None = None) -> tuple[int, str]:
        """Submit a payload, or ask for a path."""
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data=payload, method=method)
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def submit(self, payload: bytes = b"payload") -> str:
        """Submit a payload that is taken; return the id."""
        status, text = self.call("/api", payload)
        assert status == 200, text
        request_id: str = json.loads(text)["id"]
        return request_id

    def wait_started(self) -> None:
        """Wait until it serves."""

        def has_started() -> bool:
            assert self.process.poll() is None, f"the gateway has ended: {self.lines[-5:]}"
            return bool(self.events("gateway_started"))

        eventually(has_started, "the gateway to serve")
