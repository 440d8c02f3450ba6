"""The processes of the local stack: their commands, environments and ports."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dequeuer.dev import environment, local_aws
from dequeuer.dev.options import Options
from dequeuer.process.child_process import ProcessSpec
from dequeuer.process.ports import HOST, free_ports

OnLine = Callable[[str, str], None]
"""Called with the name of a process and a line that it printed."""

SHUTDOWN_GRACE_S = 10
"""How long requests in progress may continue after Ctrl-C. Short, because the user is waiting."""
STOP_GRACE_S = 5.0
SERVER_STOP_GRACE_S = 0.5
"""For SQS and S3, which would wait 3 s for open connections. Their data is not needed any more."""
COMPLETION_DELAY_S = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The ports of one run, all on loopback."""

    aws: int
    gateway: int
    admin: int
    user: int

    @classmethod
    def choose(cls, options: Options) -> Addresses:
        """Use the ports that the options give, and free ports for the rest."""
        given = {options.gateway_port, options.user_port}
        # Two more than needed, because a free port may be one of the given ones.
        aws, gateway, admin, user, *_ = (port for port in free_ports(6) if port not in given)
        return cls(aws=aws, gateway=options.gateway_port or gateway, admin=admin, user=options.user_port or user)

    @property
    def aws_url(self) -> str:
        """The endpoint of SQS and S3."""
        return f"http://{HOST}:{self.aws}"

    @property
    def gateway_url(self) -> str:
        """The URL of the gateway."""
        return f"http://{HOST}:{self.gateway}"

    @property
    def admin_url(self) -> str:
        """The URL of the sidecar's admin server."""
        return f"http://{HOST}:{self.admin}"


class ProcessSpecs:
    """Makes the specification of each process."""

    def __init__(
        self, options: Options, addresses: Addresses, inherited: Mapping[str, str], directory: Path, on_line: OnLine
    ) -> None:
        self._options = options
        self._addresses = addresses
        self._inherited = inherited
        self._base = environment.base_environment(inherited, directory)
        self._directory = directory
        self._on_line = on_line

    def server(self) -> ProcessSpec:
        """Return how to run SQS and S3."""
        command = local_aws.find_server(self._inherited.get("PATH"))
        own = local_aws.server_environment(self._base, self._addresses.aws)
        return self._spec("ministack", command, own, SERVER_STOP_GRACE_S)

    def container(self) -> ProcessSpec | None:
        """Return how to run the container; None when it is running already."""
        options, port = self._options, self._addresses.user
        if options.command:
            own = environment.container_environment(self._inherited, self._addresses.aws_url, port)
            return self._spec("container", options.command, own)
        if options.user_port is not None:
            return None
        return self._spec("container", _module("dequeuer.dev.sample_container", "--port", str(port)), self._base)

    def gateway(self, queue_url: str) -> ProcessSpec:
        """Return how to run the gateway."""
        own = {
            "DEQUEUER_GATEWAY_HOST": HOST,
            "DEQUEUER_GATEWAY_PORT": str(self._addresses.gateway),
            "DEQUEUER_SHUTDOWN_DELAY": "0",  # no load balancer is in front of it
            "DEQUEUER_BUCKET": local_aws.BUCKET,
            "DEQUEUER_CLUSTER_UID": local_aws.CLUSTER_UID,
            "DEQUEUER_QUEUES": f"{local_aws.API_NAME}={queue_url}",
        }
        return self._spec("gateway", _module("dequeuer", "gateway"), self._ours(own))

    def sidecar(self, queue_url: str) -> ProcessSpec:
        """Return how to run the sidecar. It is configured by environment variables only, as in a pod."""
        own = {
            "DEQUEUER_API_KIND": self._options.kind,
            "DEQUEUER_API_NAME": local_aws.API_NAME,
            "DEQUEUER_QUEUE_URL": queue_url,
            "DEQUEUER_USER_PORT": str(self._addresses.user),
            "DEQUEUER_ADMIN_HOST": HOST,
            "DEQUEUER_ADMIN_PORT": str(self._addresses.admin),
            "DEQUEUER_WORKERS": str(self._options.workers),
            # A file at the default path on this machine would belong to something else.
            "DEQUEUER_PROBES_PATH": str(self._directory / "no-probes.json"),
            "DEQUEUER_SHUTDOWN_GRACE": str(SHUTDOWN_GRACE_S),
        }
        if self._options.kind == "batch":
            # The shortest useful delay, because the user is waiting.
            own |= {"DEQUEUER_JOB_ID": local_aws.JOB_ID, "DEQUEUER_COMPLETION_DELAY": str(COMPLETION_DELAY_S)}
        else:
            # Written at once, so that the status is visible even with a fast container.
            own |= {"DEQUEUER_BUCKET": local_aws.BUCKET, "DEQUEUER_IN_PROGRESS_AFTER": "0"}
            own |= {"DEQUEUER_CLUSTER_UID": local_aws.CLUSTER_UID}
        grace_s = SHUTDOWN_GRACE_S + STOP_GRACE_S
        return self._spec("sidecar", _module("dequeuer"), self._ours(own), grace_s)

    def _ours(self, own: Mapping[str, str]) -> dict[str, str]:
        logs = {"DEQUEUER_LOG_FORMAT": "json", "DEQUEUER_LOG_LEVEL": "info"}
        return {**self._base, **environment.local_account(self._addresses.aws_url), **logs, **own}

    def _spec(
        self, name: str, command: list[str] | tuple[str, ...], own: Mapping[str, str], grace_s: float = STOP_GRACE_S
    ) -> ProcessSpec:
        return ProcessSpec(
            name=name,
            command=command,
            environment=own,
            stop_grace_s=grace_s,
            on_line=lambda line: self._on_line(name, line),
        )


def _module(name: str, *arguments: str) -> list[str]:
    # -P: otherwise a queue.py in the working directory would replace Python's own module.
    return [sys.executable, "-P", "-m", name, *arguments]
