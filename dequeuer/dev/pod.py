"""The pod of an AsyncAPI or RealtimeAPI: its containers and its sidecar, each started again when it ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from dequeuer.apis import AsyncApi, RealtimeApi
from dequeuer.dev.process_specs import STOP_GRACE_S, ProcessSpecs
from dequeuer.dev.restarted_process import RestartedProcess
from dequeuer.pods.commands import container_command
from dequeuer.pods.environment import container_environment
from dequeuer.pods.files import PodFolder, probes_of
from dequeuer.process.child_process import ProcessSpec
from dequeuer.process.ports import HOST, free_ports

_SIDECAR: Final = "dequeuer"
"""In the name of its process. No container may have this name."""


def is_container_name(name: str) -> bool:
    """Return whether a process of this name belongs to a pod."""
    return " " in name


def is_sidecar_name(name: str) -> bool:
    """Return whether a process of this name is the sidecar of a pod."""
    return name.endswith(f" {_SIDECAR}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PodPlace:
    """Where the containers of all pods run, and what they find.

    Attributes:
        inherited: the environment that they inherit.
        folder: of the file, in which they run.
        version: of Cortex.
        sees_root: they see `/cortex` and `/mnt` at their real paths.
        hosts: see `PodFolder`.
    """

    inherited: Mapping[str, str]
    folder: Path
    version: str
    sees_root: bool
    hosts: str = ""


MakeSidecar: TypeAlias = Callable[[str, Mapping[str, str]], ProcessSpec]
"""Returns how to run a sidecar, from the name of the process and the settings that every sidecar has."""


class Pod:
    """One replica of an API.

    Args:
        api: of the file.
        make_sidecar: see `MakeSidecar`.
        specs: how processes are run.
        place: where containers run.
        pod_folder: for the files that they find.
        on_end: called with a text when a process has ended by itself.
    """

    def __init__(  # noqa: PLR0913 - what a pod is made of
        self,
        api: AsyncApi | RealtimeApi,
        make_sidecar: MakeSidecar,
        specs: ProcessSpecs,
        *,
        place: PodPlace,
        pod_folder: Path,
        on_end: Callable[[str], None],
    ) -> None:
        self.api = api
        self._specs = specs
        self._place = place
        self._pod_folder = PodFolder(pod_folder, place.hosts)
        self._port, self._admin_port = free_ports(2)
        self._containers = [RestartedProcess(spec, on_end) for spec in self._container_specs()]
        self.sidecar_spec = make_sidecar(f"{api.name} {_SIDECAR}", self._sidecar_settings())
        self._sidecar = RestartedProcess(self.sidecar_spec, on_end)

    def start(self) -> None:
        """Write the files and start all processes, in the background. Raises `OSError`."""
        self._pod_folder.write(None, probes_of(self.api.pod, self._port), self._specs.addresses.gateway_url)
        for process in self.processes:
            process.start()

    @property
    def processes(self) -> tuple[RestartedProcess, ...]:
        """Its containers and its sidecar."""
        return (*self._containers, self._sidecar)

    @property
    def health_url(self) -> str:
        """Where the sidecar says whether the containers get work, and why they do not."""
        return f"http://{HOST}:{self._admin_port}/healthz"

    @property
    def metrics_url(self) -> str:
        """The metrics of the sidecar."""
        return f"http://{HOST}:{self._admin_port}/metrics"

    async def stop(self, stop_now: asyncio.Event) -> None:
        """Drain the sidecar while its containers still run, then stop these."""
        await self._sidecar.stop(stop_now)
        await asyncio.gather(*(container.stop(stop_now) for container in self._containers))

    def _container_specs(self) -> list[ProcessSpec]:
        made = []
        for container in self.api.pod.containers:
            environment = container_environment(
                self._place.inherited,
                version=self._place.version,
                port=self._port,
                root=None if self._place.sees_root else self._pod_folder.path,
                own=container.env,
            )
            command = container_command(container, environment, self._pod_folder, sees_root=self._place.sees_root)
            name = f"{self.api.name} {container.name}"
            made.append(self._specs.process(name, command, environment, STOP_GRACE_S, self._place.folder))
        return made

    def _sidecar_settings(self) -> dict[str, str]:
        return {
            "DEQUEUER_API_NAME": self.api.name,
            "DEQUEUER_USER_PORT": str(self._port),
            "DEQUEUER_ADMIN_PORT": str(self._admin_port),
            "DEQUEUER_PROBES_PATH": str(self._pod_folder.probes),
        }
