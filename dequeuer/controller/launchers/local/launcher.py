"""Runs the processes of jobs on this machine. They are children of the controller and end with it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from dequeuer.apis import Apis, BatchApi, TaskApi
from dequeuer.apis.container import Container
from dequeuer.controller.launchers.base import ENQUEUER, LauncherUnavailableError, ProcessState
from dequeuer.controller.launchers.local.compute import LocalCompute
from dequeuer.controller.launchers.local.guards import Guard
from dequeuer.controller.launchers.local.liveness import Liveness, probe_of
from dequeuer.controller.launchers.local.log_file import LogFile
from dequeuer.controller.launchers.local.pod import LocalPod, Prepared
from dequeuer.core.errors import clip
from dequeuer.core.events import JobProcessEnded, JobProcessStarted, Observer
from dequeuer.jobs.layout import JobKeys
from dequeuer.jobs.spec import JobSpec, dump_spec
from dequeuer.pods.commands import container_command, probe_command
from dequeuer.pods.environment import container_environment
from dequeuer.pods.files import PodFolder, probes_of
from dequeuer.pods.programs import own_environment, program
from dequeuer.process.child_process import ProcessSpec
from dequeuer.process.ports import HOST, free_ports

CONTAINER_GRACE_S: Final = 10.0
"""Time between SIGTERM and SIGKILL of a container whose sidecar has been drained."""
ENQUEUER_GRACE_S: Final = 30.0
SIDECAR_MARGIN_S: Final = 5.0
"""Beyond the time that a sidecar takes for its own drain."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSettings:
    """How processes are run.

    Attributes:
        folder: of cortex.yaml, in which containers are run.
        work_folder: for the files of workers, and for logs.
        environment: of the controller. Programs of this project inherit it, containers all but its settings.
        cluster_uid: the prefix of all keys.
        bucket: of the jobs.
        region: of the queues; None: as the programs find it.
        version: of Cortex.
        operator_url: for the clients of Cortex in containers.
        sidecar_grace_s: the drain of a sidecar.
        sees_root: containers see `/cortex` and `/mnt` at their real paths.
        hosts: see `PodFolder`; not used without `sees_root`.
    """

    folder: Path
    work_folder: Path
    environment: Mapping[str, str]
    cluster_uid: str
    bucket: str
    region: str | None
    version: str
    operator_url: str
    sidecar_grace_s: float
    sees_root: bool
    hosts: str = ""


class LocalLauncher:
    """`Launcher`. Call `close` at the end.

    Args:
        settings: how processes are run.
        apis: what the workers of a job are.
        compute: the limits of containers.
        observer: of processes that start and end.
    """

    def __init__(self, settings: LocalSettings, apis: Apis, compute: LocalCompute, observer: Observer) -> None:
        self._settings = settings
        self._apis = apis
        self._compute = compute
        self._observer = observer
        self._pods: dict[JobKeys, dict[str, LocalPod]] = {}

    async def start(self, keys: JobKeys, spec: JobSpec, name: str) -> None:
        """Start a process; see `Launcher`."""
        pods = self._pods.setdefault(keys, {})
        if name in pods and not pods[name].state.has_ended:
            return
        on_end = self._reporter(keys, name)
        try:
            pod = self._enqueuer(keys, spec, on_end) if name == ENQUEUER else self._worker(keys, spec, name, on_end)
        except OSError as error:
            raise LauncherUnavailableError(f"{name} cannot be started: {clip(str(error))}") from error
        pods[name] = pod
        pod.start()
        self._observer(JobProcessStarted(api_name=keys.api_name, job_id=keys.job_id, process=name))

    async def observe(self, keys: JobKeys) -> Mapping[str, ProcessState]:
        """Return the processes of a job; see `Launcher`."""
        return {name: pod.state for name, pod in self._pods.get(keys, {}).items()}

    async def stop(self, keys: JobKeys, names: Collection[str]) -> None:
        """Drain processes; see `Launcher`."""
        pods = self._pods.get(keys, {})
        found = {name: pods[name] for name in names if name in pods}
        for pod in found.values():
            pod.request_stop()  # before the first await, at which this call may be cancelled
        await asyncio.gather(*(pod.stop() for pod in found.values()))
        for name, pod in found.items():
            if pods.get(name) is pod:
                del pods[name]
        if not pods:
            self._pods.pop(keys, None)

    def stop_now(self) -> None:
        """End the grace periods of all processes."""
        for pods in self._pods.values():
            for pod in pods.values():
                pod.stop_now()

    async def close(self) -> None:
        """Drain all processes; return when they have ended."""
        await asyncio.gather(*(self.stop(keys, tuple(pods)) for keys, pods in list(self._pods.items())))

    def _enqueuer(self, keys: JobKeys, spec: JobSpec, on_end: Callable[[ProcessState], None]) -> LocalPod:
        settings = self._settings
        region = ("-region", settings.region) if settings.region else ()
        command = program(
            *("enqueue", "-cluster-uid", settings.cluster_uid, *region, "-bucket", settings.bucket),
            *("-queue", spec.sqs_url, "-apiName", spec.api_name, "-jobID", spec.job_id),
        )
        own = {
            "CORTEX_VERSION": settings.version,
            "DEQUEUER_ADMIN_HOST": HOST,
            "DEQUEUER_ADMIN_PORT": str(free_ports(1)[0]),
        }
        environment = own_environment(settings.environment, own)
        process = self._process(keys, ENQUEUER, ENQUEUER, command, environment, ENQUEUER_GRACE_S)
        return LocalPod(ENQUEUER, [lambda: Prepared(process=process)], None, None, on_end)

    def _worker(self, keys: JobKeys, spec: JobSpec, name: str, on_end: Callable[[ProcessState], None]) -> LocalPod:
        api = self._apis.get(keys.api_name)
        if not isinstance(api, BatchApi | TaskApi) or api.kind != keys.kind:
            raise LauncherUnavailableError(f"the API {keys.api_name} is not in cortex.yaml, or of another kind")
        folder = PodFolder(self._folder(keys) / name, self._settings.hosts)
        if isinstance(api, TaskApi):
            folder.write(dump_spec(spec, indent=2), None, self._settings.operator_url)
            return LocalPod(name, self._containers(keys, name, folder, api, {}), None, None, on_end)
        port, admin_port = free_ports(2)
        folder.write(dump_spec(spec, indent=2), probes_of(api.pod, port), self._settings.operator_url)
        sidecar = self._sidecar(keys, spec, name, folder, port, admin_port)
        containers = self._containers(keys, name, folder, api, {api.pod.port: port})
        return LocalPod(name, containers, sidecar, admin_port, on_end)

    def _containers(
        self, keys: JobKeys, name: str, folder: PodFolder, api: BatchApi | TaskApi, ports: Mapping[int, int]
    ) -> list[Callable[[], Prepared]]:
        """Return the containers of a worker. `ports`: the pod's own, and the one that replaces it; a task has none."""
        return [partial(self._container, keys, name, folder, container, ports) for container in api.pod.containers]

    def _container(
        self, keys: JobKeys, name: str, folder: PodFolder, container: Container, ports: Mapping[int, int]
    ) -> Prepared:
        settings = self._settings
        environment = container_environment(
            settings.environment,
            version=settings.version,
            port=next(iter(ports.values()), None),
            root=None if settings.sees_root else folder.path,
            own=container.env,
        )
        command = container_command(container, environment, folder, sees_root=settings.sees_root)
        process = self._process(keys, name, container.name, command, environment, CONTAINER_GRACE_S)
        # Last: nothing that follows may fail, because only what is returned is closed.
        limited = self._compute.limit(f"{name}-{container.name}", container.compute)
        guards: list[Guard] = [*limited.guards]
        if (probe := container.liveness_probe) is not None:
            probing = ProcessSpec(
                name=f"{name} ({container.name}) liveness probe",
                command=probe_command(container, folder, sees_root=settings.sees_root),
                environment=environment,
                folder=settings.folder,
                stop_grace_s=0,
                on_line=lambda _: None,
            )
            guards.append(Liveness(probe_of(probe, probing, ports)))
        process = replace(process, command=[*limited.prefix, *command])
        return Prepared(process=process, guards=tuple(guards))

    def _sidecar(  # noqa: PLR0913, PLR0917 - what a sidecar has to know
        self, keys: JobKeys, spec: JobSpec, name: str, folder: PodFolder, port: int, admin_port: int
    ) -> ProcessSpec:
        settings = self._settings
        own = {
            "DEQUEUER_API_KIND": "BatchAPI",
            "DEQUEUER_API_NAME": keys.api_name,
            "DEQUEUER_JOB_ID": keys.job_id,
            "DEQUEUER_QUEUE_URL": spec.sqs_url,
            "DEQUEUER_USER_PORT": str(port),
            "DEQUEUER_ADMIN_HOST": HOST,
            "DEQUEUER_ADMIN_PORT": str(admin_port),
            "DEQUEUER_PROBES_PATH": str(folder.probes),
            "DEQUEUER_SHUTDOWN_GRACE": f"{settings.sidecar_grace_s:g}",
            "DEQUEUER_BUCKET": settings.bucket,
            "DEQUEUER_CLUSTER_UID": settings.cluster_uid,
            "DEQUEUER_WORKER_ID": f"{name}-{secrets.token_hex(4)}",
            "CORTEX_VERSION": settings.version,
            # The queue may be empty because the enqueuer is slow: the controller knows when the job is over.
            "DEQUEUER_EXIT_WHEN_EMPTY": "false",
        }
        if spec.output_s3_path is not None:
            own["DEQUEUER_OUTPUT"] = spec.output_s3_path
        environment = own_environment(settings.environment, own)
        grace_s = settings.sidecar_grace_s + SIDECAR_MARGIN_S
        return self._process(keys, name, "sidecar", program(), environment, grace_s)

    def _process(  # noqa: PLR0913, PLR0917 - what a process is
        self,
        keys: JobKeys,
        pod: str,
        name: str,
        command: list[str],
        environment: Mapping[str, str],
        grace_s: float,
    ) -> ProcessSpec:
        folder = self._folder(keys) / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        label = pod if name == pod else f"{pod}.{name}"
        return ProcessSpec(
            name=f"{pod} ({name})" if name != pod else pod,
            command=command,
            environment=environment,
            folder=self._settings.folder,
            stop_grace_s=grace_s,
            on_line=LogFile(folder / f"{label}.log").write,
        )

    def _folder(self, keys: JobKeys) -> Path:
        return self._settings.work_folder / keys.kind / keys.api_name / keys.job_id

    def _reporter(self, keys: JobKeys, name: str) -> Callable[[ProcessState], None]:
        def report(state: ProcessState) -> None:
            detail = clip(state.detail.partition("\n")[0])
            self._observer(
                JobProcessEnded(
                    api_name=keys.api_name, job_id=keys.job_id, process=name, phase=state.phase, detail=detail
                )
            )

        return report
