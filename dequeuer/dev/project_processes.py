"""Starts everything that a cortex.yaml needs, and finds out when all of it accepts work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Final

import aiohttp

from dequeuer.apis import AsyncApi, RealtimeApi
from dequeuer.core.clock import monotonic
from dequeuer.core.errors import clip
from dequeuer.dev import ready
from dequeuer.dev.aws_proxy import AwsProxy
from dequeuer.dev.chaos import Chaos
from dequeuer.dev.cluster_names import can_have_names, hosts_of, own_addresses, variables_of
from dequeuer.dev.errors import DevError
from dequeuer.dev.ingress import Ingress
from dequeuer.dev.local_aws import BUCKET, CLUSTER_UID, make_bucket_and_queues, queue_name
from dequeuer.dev.page import Page
from dequeuer.dev.pod import MakeSidecar, Pod, PodPlace
from dequeuer.dev.process_specs import SHUTDOWN_GRACE_S, ProcessSpecs
from dequeuer.dev.project import Project
from dequeuer.dev.realtime_addresses import RealtimeAddresses
from dequeuer.dev.restarted_process import RestartedProcess
from dequeuer.dev.sidecars import async_sidecar, realtime_sidecar
from dequeuer.dev.supervisor import Supervisor
from dequeuer.pods.commands import can_see_root
from dequeuer.pods.programs import own_environment, program
from dequeuer.process.child_process import ChildProcess, ProcessSpec
from dequeuer.process.ports import HOST, free_ports

VERSION: Final = "0.42.1"
"""Of Cortex: part of the keys of jobs, and what containers are told."""
COMPLETION_DELAY_S = 1
"""The local SQS counts exactly, and the user is waiting."""
POLL_WAIT_S = 1
CHAOS_OWNERSHIP_TIMEOUT_S: Final = "15"
"""A controller that was killed takes its jobs up again after this time. It is longer than calls to S3 fail."""
CONTROLLER_GRACE_S = 2 * SHUTDOWN_GRACE_S + 15.0
"""It drains sidecars, then stops their containers."""


class ProjectProcesses:
    """The processes of one run.

    Args:
        project: what is run.
        specs: how processes are run.
        inherited: the environment that containers inherit.
        directory: for the files of pods.
        say: shows a text.
        ready_timeout_s: how long the containers of async and realtime APIs may take until they are ready.
        chaos: what goes wrong on purpose; None: nothing.
        page: shows all of it; None: there is none.
    """

    def __init__(  # noqa: PLR0913 - what a run is made of
        self,
        project: Project,
        specs: ProcessSpecs,
        *,
        inherited: Mapping[str, str],
        directory: Path,
        say: Callable[[str], None],
        ready_timeout_s: float,
        chaos: Chaos | None = None,
        page: Page | None = None,
    ) -> None:
        self._project = project
        self._specs = specs
        self._inherited = inherited
        self._directory = directory
        self._say = say
        self._ready_timeout_s = ready_timeout_s
        self._chaos = chaos
        self._hidden_port = None if chaos is None else free_ports(1)[0]
        self._server = specs.server(self._hidden_port)
        self._page = page

    @property
    def work_folder(self) -> Path:
        """The work folder of the controller."""
        return self._directory / "jobs"

    async def start(self, supervisor: Supervisor, session: aiohttp.ClientSession) -> None:
        """Start all processes; return when all accept work.

        Raises:
            DevError: that does not happen.
        """
        addresses = self._specs.addresses
        server = await supervisor.start(self._server)
        if self._chaos is not None and self._hidden_port is not None:
            proxy = AwsProxy(self._hidden_port, self._chaos.faults)
            supervisor.add_in_order(proxy)
            await proxy.open(addresses.aws)
        sees_root = await can_see_root(self._directory)
        names = (api.name for api in self._project.realtime_apis)
        with_names = sees_root and can_have_names()
        realtime = RealtimeAddresses.choose(names, with_names=with_names)
        ingress = await self._ingress(supervisor, with_names=with_names)
        services = (*realtime.services, *ingress.services)
        inherited = {**self._inherited, **variables_of(services, self._inherited)}
        hosts = hosts_of(services)
        listens = partial(ready.is_listening, self._hidden_port or addresses.aws)
        await ready.wait_until(listens, "ministack does not listen", child=server)
        queues = {api.name: queue_name(api.name, fifo=True) for api in self._project.async_apis}
        queue_urls = await make_bucket_and_queues(addresses.aws_url, queues)
        gateway = await self._start(supervisor, self._specs.gateway(queue_urls, self._project.path, realtime.urls))
        controller = None
        if self._project.job_apis:
            controller = await self._start(supervisor, self._controller(inherited, hosts), is_controller=True)
        place = PodPlace(
            inherited=inherited,
            folder=self._project.path.parent,
            version=VERSION,
            sees_root=sees_root,
            hosts=hosts,
        )
        pods = self._start_pods(supervisor, queue_urls, realtime, place)
        if self._page is not None:
            self._page.start(supervisor, {pod.api.name: pod.metrics_url for pod in pods})
        await self._ready(session, f"{addresses.gateway_url}/healthz", "the gateway is not ready", gateway)
        if self._project.job_apis:
            await self._ready(session, f"{addresses.admin_url}/healthz", "the controller is not ready", controller)
        await self._pods_ready(session, pods)
        if self._page is not None:
            await self._page.wait_ready(session)

    async def _start(
        self, supervisor: Supervisor, spec: ProcessSpec, *, is_controller: bool = False
    ) -> ChildProcess | None:
        """Start a program without which the others cannot go on; None: it is started again when it ends."""
        if self._chaos is None:
            return await supervisor.start(spec)
        process = RestartedProcess(spec, self._say)
        process.start()
        supervisor.add_in_order(process)
        self._chaos.add(process, is_controller=is_controller)
        return None

    async def _ingress(self, supervisor: Supervisor, *, with_names: bool) -> Ingress:
        ingress = Ingress(self._specs.addresses.gateway)
        if with_names:
            supervisor.add_in_order(ingress)
            await ingress.open(own_addresses())
        if ingress.notice and len(self._project.apis) > 1:  # the only API of a file has nobody to call
            self._say(ingress.notice)
        return ingress

    def _start_pods(
        self, supervisor: Supervisor, queue_urls: Mapping[str, str], realtime: RealtimeAddresses, place: PodPlace
    ) -> list[Pod]:
        specs = self._specs
        return [
            *(
                self._start_pod(supervisor, api, realtime_sidecar(specs, api, realtime.by_name[api.name]), place)
                for api in self._project.realtime_apis
            ),
            *(
                self._start_pod(supervisor, api, async_sidecar(specs, api, queue_urls[api.name], VERSION), place)
                for api in self._project.async_apis
            ),
        ]

    def _start_pod(
        self, supervisor: Supervisor, api: AsyncApi | RealtimeApi, make_sidecar: MakeSidecar, place: PodPlace
    ) -> Pod:
        folder = self._directory / "pods" / api.name
        pod = Pod(api, make_sidecar, self._specs, place=place, pod_folder=folder, on_end=self._say)
        try:
            pod.start()
        except OSError as error:
            raise DevError(f"the files of {api.name} cannot be written: {clip(str(error))}") from error
        supervisor.add(pod)
        if self._chaos is not None:
            for process in pod.processes:
                self._chaos.add(process)
        return pod

    def _controller(self, inherited: Mapping[str, str], hosts: str) -> ProcessSpec:
        addresses = self._specs.addresses
        hosts_path = self._directory / "hosts"
        if hosts:
            hosts_path.write_text(hosts, encoding="utf-8")
        own = {
            "CORTEX_VERSION": VERSION,
            "DEQUEUER_APIS": str(self._project.path),
            "DEQUEUER_BUCKET": BUCKET,
            "DEQUEUER_CLUSTER_UID": CLUSTER_UID,
            "DEQUEUER_CLUSTER_NAME": CLUSTER_UID,
            "DEQUEUER_WORK_FOLDER": str(self.work_folder),
            "DEQUEUER_OPERATOR_URL": addresses.gateway_url,
            **({"DEQUEUER_HOSTS_PATH": str(hosts_path)} if hosts else {}),
            "DEQUEUER_ADMIN_HOST": HOST,
            "DEQUEUER_ADMIN_PORT": str(addresses.admin),
            "DEQUEUER_COMPLETION_DELAY": str(COMPLETION_DELAY_S),
            "DEQUEUER_SHUTDOWN_GRACE": str(SHUTDOWN_GRACE_S),
            **({"DEQUEUER_OWNERSHIP_TIMEOUT": CHAOS_OWNERSHIP_TIMEOUT_S} if self._chaos is not None else {}),
            # Inherited by the sidecars of jobs.
            "DEQUEUER_POLL_WAIT": str(POLL_WAIT_S),
        }
        environment = own_environment(self._specs.ours(inherited, own), {})
        return self._specs.process("controller", program("controller"), environment, CONTROLLER_GRACE_S)

    async def _ready(self, session: aiohttp.ClientSession, url: str, failure: str, child: ChildProcess | None) -> None:
        await ready.wait_until(partial(ready.responds_ok, session, url), failure, child=child)

    async def _pods_ready(self, session: aiohttp.ClientSession, pods: list[Pod]) -> None:
        ends = monotonic() + self._ready_timeout_s
        for pod in pods:
            name, why = pod.api.name, ""

            async def is_ready(pod: Pod = pod) -> bool:
                nonlocal why
                reason = await ready.reason_not_ready(session, pod.health_url)
                why = reason or why
                return reason is None

            try:
                await ready.wait_until(
                    is_ready,
                    f"{name} is not ready (more time: --ready-timeout)",
                    timeout_s=max(0.0, ends - monotonic()),
                    on_slow=partial(self._say, f"still waiting for {name} to be ready ..."),
                )
            except DevError as error:
                raise DevError(f"{error}: {why or 'its sidecar does not answer'}") from error
