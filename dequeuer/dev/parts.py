"""Which processes the stack is made of: their commands, environments and ports."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from dequeuer.dev import cloud, environment
from dequeuer.dev.options import Options
from dequeuer.dev.ports import HOST, free_ports
from dequeuer.dev.process import Plan

OnLine = Callable[[str, str], None]
"""Gets the name of a part and a line that it has printed."""

DRAIN_S = 10
"""For running requests after Ctrl-C: somebody sits there and waits."""
STOP_GRACE_S = 5.0
SERVER_GRACE_S = 0.5
"""Of SQS and S3, which would wait 3 s for open connections. What they hold is thrown away anyway."""
COMPLETION_DELAY_S = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """The ports of this run, all on loopback."""

    aws: int
    gateway: int
    admin: int
    user: int

    @classmethod
    def choose(cls, options: Options) -> Addresses:
        """Take what is given and free ports for the rest."""
        given = {options.gateway_port, options.user_port}
        # Two more than needed: a free port may be one that is given.
        aws, gateway, admin, user, *_ = (port for port in free_ports(6) if port not in given)
        return cls(aws=aws, gateway=options.gateway_port or gateway, admin=admin, user=options.user_port or user)

    @property
    def aws_url(self) -> str:
        """The endpoint of SQS and S3."""
        return f"http://{HOST}:{self.aws}"

    @property
    def gateway_url(self) -> str:
        """Where requests are submitted."""
        return f"http://{HOST}:{self.gateway}"

    @property
    def admin_url(self) -> str:
        """The sidecar's health and metrics."""
        return f"http://{HOST}:{self.admin}"


class Parts:
    """Makes the plan of each part."""

    def __init__(
        self, options: Options, addresses: Addresses, inherited: Mapping[str, str], directory: Path, on_line: OnLine
    ) -> None:
        self._options = options
        self._addresses = addresses
        self._inherited = inherited
        self._base = environment.of_part(inherited, directory)
        self._directory = directory
        self._on_line = on_line

    def server(self) -> Plan:
        """Plan SQS and S3."""
        command = cloud.find_server(self._inherited.get("PATH"))
        own = cloud.server_environment(self._base, self._addresses.aws)
        return self._plan("ministack", command, own, SERVER_GRACE_S)

    def container(self) -> Plan | None:
        """Plan the container; None when it runs already."""
        options, port = self._options, self._addresses.user
        if options.command:
            own = environment.of_container(self._inherited, self._addresses.aws_url, port)
            return self._plan("container", options.command, own)
        if options.user_port is not None:
            return None
        return self._plan("container", _module("dequeuer.dev.sample", "--port", str(port)), self._base)

    def gateway(self, queue_url: str) -> Plan:
        """Plan the gateway."""
        own = {
            "DEQUEUER_GATEWAY_HOST": HOST,
            "DEQUEUER_GATEWAY_PORT": str(self._addresses.gateway),
            "DEQUEUER_SHUTDOWN_DELAY": "0",  # no load balancer is in front of it
            "DEQUEUER_BUCKET": cloud.BUCKET,
            "DEQUEUER_CLUSTER_UID": cloud.CLUSTER_UID,
            "DEQUEUER_QUEUES": f"{cloud.API_NAME}={queue_url}",
        }
        return self._plan("gateway", _module("dequeuer", "gateway"), self._ours(own))

    def sidecar(self, queue_url: str) -> Plan:
        """Plan the sidecar: environment variables only, as in a pod."""
        own = {
            "DEQUEUER_API_KIND": self._options.kind,
            "DEQUEUER_API_NAME": cloud.API_NAME,
            "DEQUEUER_QUEUE_URL": queue_url,
            "DEQUEUER_USER_PORT": str(self._addresses.user),
            "DEQUEUER_ADMIN_HOST": HOST,
            "DEQUEUER_ADMIN_PORT": str(self._addresses.admin),
            "DEQUEUER_WORKERS": str(self._options.workers),
            # What is there on this machine is for something else.
            "DEQUEUER_PROBES_PATH": str(self._directory / "no-probes.json"),
            "DEQUEUER_SHUTDOWN_GRACE": str(DRAIN_S),
        }
        if self._options.kind == "batch":
            # The shortest that makes sense: nobody wants to wait for the end of three batches.
            own |= {"DEQUEUER_JOB_ID": cloud.JOB_ID, "DEQUEUER_COMPLETION_DELAY": str(COMPLETION_DELAY_S)}
        else:
            # At once, so that it is seen even for a fast container.
            own |= {"DEQUEUER_BUCKET": cloud.BUCKET, "DEQUEUER_IN_PROGRESS_AFTER": "0"}
            own |= {"DEQUEUER_CLUSTER_UID": cloud.CLUSTER_UID}
        grace_s = DRAIN_S + STOP_GRACE_S
        return self._plan("sidecar", _module("dequeuer"), self._ours(own), grace_s)

    def _ours(self, own: Mapping[str, str]) -> dict[str, str]:
        logs = {"DEQUEUER_LOG_FORMAT": "json", "DEQUEUER_LOG_LEVEL": "info"}
        return {**self._base, **environment.fake_account(self._addresses.aws_url), **logs, **own}

    def _plan(
        self, name: str, command: list[str] | tuple[str, ...], own: Mapping[str, str], grace_s: float = STOP_GRACE_S
    ) -> Plan:
        return Plan(
            name=name,
            command=command,
            environment=own,
            stop_grace_s=grace_s,
            on_line=lambda line: self._on_line(name, line),
        )


def _module(name: str, *arguments: str) -> list[str]:
    # -P: a queue.py in the working directory must not take the place of Python's.
    return [sys.executable, "-P", "-m", name, *arguments]
