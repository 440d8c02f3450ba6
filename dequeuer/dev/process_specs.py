"""The processes that every local stack has: SQS and S3, the gateway, and how sidecars are run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from dequeuer.dev import environment, local_aws
from dequeuer.dev.addresses import Addresses
from dequeuer.pods.programs import program
from dequeuer.process.child_process import ProcessSpec
from dequeuer.process.ports import HOST
from dequeuer.settings.ui import MAX_METRICS

OnLine = Callable[[str, str], None]
"""Called with the name of a process and a line that it printed."""

SHUTDOWN_GRACE_S = 10
"""How long requests in progress may continue after Ctrl-C. Short, because the user is waiting."""
STOP_GRACE_S = 5.0
PAUSE_CHECK_INTERVAL_S = "1"
"""Looks cost nothing here."""
UI_STOP_GRACE_S = 6.0
"""It ends requests under way for up to 5 s."""
SERVER_STOP_GRACE_S = 0.5
"""For SQS and S3, which would wait 3 s for open connections. Their data is not needed any more."""


class ProcessSpecs:
    """Makes the specification of each process.

    Args:
        addresses: the ports.
        inherited: the user's environment.
        directory: for temporary files.
        on_line: see `OnLine`.
    """

    def __init__(self, addresses: Addresses, inherited: Mapping[str, str], directory: Path, on_line: OnLine) -> None:
        self.addresses = addresses
        self.base = environment.base_environment(inherited, directory)
        self._inherited = inherited
        self._on_line = on_line

    def server(self, hidden_port: int | None = None) -> ProcessSpec:
        """Return how to run SQS and S3. Raises `DevError`: they are not installed.

        `hidden_port`: a proxy listens on theirs, and passes requests on to this one.
        """
        command = local_aws.find_server(self._inherited.get("PATH"))
        own = local_aws.server_environment(self.base, hidden_port or self.addresses.aws)
        if hidden_port is not None:
            del own["MINISTACK_HOST"]  # without it, URLs of queues have the address that was asked: that of the proxy
        return self.process("ministack", command, own, SERVER_STOP_GRACE_S)

    def gateway(
        self, queue_urls: Mapping[str, str], apis: Path | None = None, realtime_urls: Mapping[str, str] | None = None
    ) -> ProcessSpec:
        """Return how to run the gateway. `queue_urls`, `realtime_urls`: by the API's name; `apis`: a cortex.yaml."""
        own = {
            "DEQUEUER_GATEWAY_HOST": HOST,
            "DEQUEUER_GATEWAY_PORT": str(self.addresses.gateway),
            "DEQUEUER_ADMIN_HOST": HOST,
            "DEQUEUER_ADMIN_PORT": str(self.addresses.gateway_admin),
            "DEQUEUER_SHUTDOWN_DELAY": "0",  # no load balancer is in front of it
            "DEQUEUER_PAUSE_CHECK_INTERVAL": PAUSE_CHECK_INTERVAL_S,
            "DEQUEUER_TOKENS": "none",  # it listens on this machine alone
            "DEQUEUER_BUCKET": local_aws.BUCKET,
            "DEQUEUER_CLUSTER_UID": local_aws.CLUSTER_UID,
            **({"DEQUEUER_APIS": str(apis)} if apis is not None else {}),
        }
        if queue_urls:
            own["DEQUEUER_QUEUES"] = _listed(queue_urls)
        if realtime_urls:
            own["DEQUEUER_REALTIME_URLS"] = _listed(realtime_urls)
        return self.process("gateway", program("gateway"), self.ours(self.base, own))

    def sidecar(self, name: str, own: Mapping[str, str]) -> ProcessSpec:
        """Return how to run the sidecar of an async API. It is configured by environment variables only, as in a pod.

        Args:
            name: of the process.
            own: `DEQUEUER_API_NAME`, `DEQUEUER_QUEUE_URL`, `DEQUEUER_USER_PORT`, `DEQUEUER_ADMIN_PORT`, ...
        """
        settings = {
            "DEQUEUER_API_KIND": "async",
            "DEQUEUER_ADMIN_HOST": HOST,
            "DEQUEUER_SHUTDOWN_GRACE": str(SHUTDOWN_GRACE_S),
            "DEQUEUER_BUCKET": local_aws.BUCKET,
            "DEQUEUER_CLUSTER_UID": local_aws.CLUSTER_UID,
            # Written at once, so that the status is visible even with a fast container.
            "DEQUEUER_IN_PROGRESS_AFTER": "0",
            "DEQUEUER_PAUSE_CHECK_INTERVAL": PAUSE_CHECK_INTERVAL_S,
            **own,
        }
        return self.process(name, program(), self.ours(self.base, settings), SHUTDOWN_GRACE_S + STOP_GRACE_S)

    def proxy(self, name: str, own: Mapping[str, str]) -> ProcessSpec:
        """Return how to run the sidecar of a realtime API. `name`, `own`: as for `sidecar`."""
        settings = {
            "DEQUEUER_API_KIND": "realtime",
            "DEQUEUER_ADMIN_HOST": HOST,
            "DEQUEUER_SHUTDOWN_DELAY": "0",  # no load balancer is in front of it
            "DEQUEUER_SHUTDOWN_GRACE": str(SHUTDOWN_GRACE_S),
            **own,
        }
        return self.process(name, program("proxy"), self.ours(self.base, settings), SHUTDOWN_GRACE_S + STOP_GRACE_S)

    def page(self, metrics_urls: Mapping[str, str]) -> ProcessSpec:
        """Return how to run the page.

        Args:
            metrics_urls: of sidecars and proxies, by the API's name. Those beyond `MAX_METRICS` are left out.
        """
        known = list(metrics_urls.items())[: MAX_METRICS - 1]
        own = {
            "DEQUEUER_GATEWAY_URL": self.addresses.gateway_url,
            "DEQUEUER_UI_HOST": HOST,
            "DEQUEUER_UI_PORT": str(self.addresses.ui),
            "DEQUEUER_UI_METRICS": ",".join((self.addresses.gateway_metrics_url, *map("=".join, known))),
        }
        return self.process("page", program("ui"), self.ours(self.base, own), UI_STOP_GRACE_S)

    def ours(self, inherited: Mapping[str, str], own: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of a program of this project."""
        logs = {"DEQUEUER_LOG_FORMAT": "json", "DEQUEUER_LOG_LEVEL": "info"}
        return {**inherited, **environment.local_account(self.addresses.aws_url), **logs, **own}

    def process(
        self,
        name: str,
        command: Sequence[str],
        own: Mapping[str, str],
        grace_s: float = STOP_GRACE_S,
        folder: Path | None = None,
    ) -> ProcessSpec:
        """Return how to run any process; its lines go to `on_line`."""
        return ProcessSpec(
            name=name,
            command=command,
            environment=own,
            folder=folder,
            stop_grace_s=grace_s,
            on_line=lambda line: self._on_line(name, line),
        )


def _listed(urls: Mapping[str, str]) -> str:
    return ",".join(f"{name}={url}" for name, url in urls.items())
