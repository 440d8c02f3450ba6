"""A node: runs the pods of manifests with local processes, each pod with a network and files of its own."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from dequeuer.pods.environment import expand_all
from tests.kubelet.back_off import BackOff
from tests.kubelet.container import Container, Launch, Surroundings
from tests.kubelet.environment import ConfigMaps, PodIdentity, environment_of
from tests.kubelet.images import Image, command_of, image_of
from tests.kubelet.manifest import Workload
from tests.kubelet.network import PodNetwork
from tests.kubelet.pod import Pod
from tests.kubelet.spec import ContainerSpec, read_pod
from tests.kubelet.volumes import Volumes


class Node:
    """Runs pods until the end of its block. What they did and printed is printed then: pytest shows it on failure.

    Args:
        images: what runs instead of each image, by its name without tag.
        folder: for the volumes of the pods.
        forwards: ports of loopback that pods reach, too: those of SQS and S3.
        back_off: between two starts of a container.
    """

    def __init__(
        self, images: Mapping[str, Image], folder: Path, forwards: Sequence[int] = (), back_off: BackOff | None = None
    ) -> None:
        self._images = images
        self._folder = folder
        self._forwards = forwards
        self._back_off = back_off or BackOff()
        self._stack = ExitStack()
        self._pods: list[Pod] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        for pod in self._pods:
            print(f"--- {pod.name}: {pod.phase}", *pod.events, sep="\n")
            for name, lines in pod.lines.items():
                print(f"--- {pod.name}, {name}", *lines[-100:], sep="\n")

    def start(self, workload: Workload, config_maps: ConfigMaps) -> Pod:
        """Start a pod of a workload; return it while its containers start. Raises `UnsupportedError`."""
        number = len(self._pods) + 1
        identity = _identity(workload, number)
        spec = read_pod(workload.spec)
        folder = self._folder / identity.name
        volumes = Volumes(spec, config_maps, folder)

        def launch(container: ContainerSpec) -> Launch:
            image = image_of(container, self._images)
            environment = environment_of(container, image.environment, identity, config_maps)
            program = expand_all(command_of(container, image), environment)
            enter = volumes.enter(container)
            return Launch(enter=enter, program=program, environment=environment, folder=folder)

        launches = {one.name: launch(one) for one in (*spec.init_containers, *spec.containers)}
        network = self._stack.enter_context(PodNetwork(identity.ip, self._forwards))
        pod = Pod(identity.name, spec, network, volumes)

        def container(one: ContainerSpec, restarts: str) -> Container:
            around = Surroundings(
                pod_ip=identity.ip,
                grace_s=spec.grace_s,
                back_off=self._back_off,
                note=lambda event: pod.events.append((one.name, event)),
                on_line=pod.lines[one.name].append,
            )
            return Container(one, launches[one.name], restarts, around)

        async def start() -> None:
            once = "Never" if spec.restart_policy == "Never" else "OnFailure"
            inits = [container(one, "Always" if one.is_sidecar else once) for one in spec.init_containers]
            await pod.start([*inits, *(container(one, spec.restart_policy) for one in spec.containers)])

        self._pods.append(pod)
        self._stack.callback(pod.close)
        network.call(start())
        return pod


def _identity(workload: Workload, number: int) -> PodIdentity:
    metadata = workload.template.get("metadata", {})
    return PodIdentity(
        name=f"{workload.name}-{number}",
        namespace=workload.namespace,
        uid=str(uuid.uuid4()),
        ip=f"10.244.0.{number + 1}",
        service_account=workload.spec.get("serviceAccountName", "default"),
        labels=metadata.get("labels", {}),
        annotations=metadata.get("annotations", {}),
    )
