"""The files that every container of a pod finds: `/cortex/spec`, `/cortex/client/cli.yaml`, `/mnt`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dequeuer.apis.container import Probe, SidecarProbe
from dequeuer.apis.pod import AsyncPod, BatchPod, RealtimePod
from dequeuer.pods.environment import CLI_FOLDER


@dataclass(frozen=True, slots=True)
class PodFolder:
    """A folder that stands for the root of a pod.

    Attributes:
        path: of the folder.
        hosts: what containers see as `/etc/hosts`; "": that of the machine.
    """

    path: Path
    hosts: str = ""

    @property
    def probes(self) -> Path:
        """The readiness probes, for the sidecar."""
        return self.path / "cortex/spec/probes.json"

    @property
    def new_root(self) -> Path:
        """An empty folder, in which the root that containers see can be built."""
        return self.path / "root"

    @property
    def shared(self) -> Mapping[str, Path]:
        """What containers see at their root instead of what the machine has there."""
        own = {"cortex": self.path / "cortex", "mnt": self.path / "mnt"}
        return own | ({"etc/hosts": self.path / "hosts"} if self.hosts else {})

    def write(self, job: bytes | None, probes: Mapping[str, Any] | None, operator_url: str) -> None:
        """Write all files. Blocks. Raises `OSError`.

        Args:
            job: the content of job.json; None: the pod does not belong to a job.
            probes: the content of probes.json; None for a task, which has none.
            operator_url: for clients of Cortex.
        """
        for folder in (self.probes.parent, self.path / CLI_FOLDER, self.path / "mnt", self.new_root):
            folder.mkdir(parents=True, exist_ok=True)
        if self.hosts:
            (self.path / "hosts").write_text(self.hosts, encoding="utf-8")
        if job is not None:
            (self.probes.parent / "job.json").write_bytes(job)
        if probes is not None:
            self.probes.write_text(json.dumps(probes), encoding="utf-8")
        environment = {"name": "default", "operator_endpoint": operator_url}
        # JSON is YAML.
        cli = {"default_environment": "default", "environments": [environment]}
        (self.path / CLI_FOLDER / "cli.yaml").write_text(json.dumps(cli), encoding="utf-8")


def probes_of(pod: AsyncPod | BatchPod | RealtimePod, port: int) -> dict[str, Any]:
    """Return the content of probes.json. `port`: was chosen for the pod's port; its probes follow.

    Without probes that are commands: only Kubernetes runs these.
    """
    return {
        container.name: _probe(container.readiness_probe, {pod.port: port})
        for container in pod.containers
        if container.readiness_probe is not None and not _is_command(container.readiness_probe)
    }


def _is_command(probe: SidecarProbe | Probe) -> bool:
    return isinstance(probe, Probe) and probe.exec is not None


def _probe(probe: SidecarProbe | Probe, ports: Mapping[int, int]) -> dict[str, Any]:
    """Return a probe as Kubernetes writes it. `ports`: replaces some ports."""
    fields: dict[str, Any] = {
        "initialDelaySeconds": probe.initial_delay_s,
        "timeoutSeconds": probe.timeout_s or 1,
        "periodSeconds": probe.period_s or 10,
        "successThreshold": probe.success_threshold or 1,
        "failureThreshold": probe.failure_threshold or 3,
    }
    if probe.http_get is not None:
        port = probe.http_get.port
        fields["httpGet"] = {"path": probe.http_get.path, "port": ports.get(port, port)}
    if probe.tcp_socket is not None:
        port = probe.tcp_socket.port
        fields["tcpSocket"] = {"port": ports.get(port, port)}
    return fields
