"""Containers and what they ask of a node, as Kubernetes writes them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from dequeuer.apis.container import (
    AsyncContainer,
    BatchContainer,
    Compute,
    Container,
    RealtimeContainer,
)
from dequeuer.manifests.notes import Place
from dequeuer.manifests.probes import kubernetes_pre_stop, kubernetes_probe

HUGE_PAGES_PER_CHIP: Final = 256 * 2**20
"""What Cortex reserves for each Inferentia chip: 128 pages of 2 MiB."""

_UNITS: Final = (("Gi", 2**30), ("Mi", 2**20), ("Ki", 2**10))


def kubernetes_containers(containers: Sequence[Container], place: Place) -> list[dict[str, Any]]:
    """Return the containers of a pod."""
    return [_container(one, place.below(index)) for index, one in enumerate(containers)]


def _container(container: Container, place: Place) -> dict[str, Any]:
    # Cortex pulls images anew for each pod: a tag that has moved would otherwise run an old image.
    written: dict[str, Any] = {"name": container.name, "image": container.image, "imagePullPolicy": "Always"}
    if container.command is not None:
        written["command"] = list(container.command)
    if container.args is not None:
        written["args"] = list(container.args)
    if container.env:
        written["env"] = [{"name": name, "value": value} for name, value in sorted(container.env.items())]
    if resources := _resources(container.compute, place.below("compute")):
        written["resources"] = resources
    if (
        isinstance(container, RealtimeContainer | AsyncContainer | BatchContainer)
        and container.readiness_probe is not None
    ):
        written["readinessProbe"] = kubernetes_probe(container.readiness_probe)
    if container.liveness_probe is not None:
        written["livenessProbe"] = kubernetes_probe(container.liveness_probe)
    if isinstance(container, RealtimeContainer | AsyncContainer) and container.pre_stop is not None:
        written["lifecycle"] = {"preStop": kubernetes_pre_stop(container.pre_stop)}
        place.below("pre_stop").note(
            "runs when the pod begins to end, beside the drain: it must not stop the server; a pause is not needed, "
            "because the container is stopped after the drain"
        )
    return written


def _resources(compute: Compute, place: Place) -> dict[str, dict[str, Any]]:
    requests: dict[str, Any] = {}
    limits: dict[str, Any] = {}
    if compute.cpu_millis is not None:
        requests["cpu"] = f"{compute.cpu_millis}m"
    if compute.mem_bytes is not None:
        requests["memory"] = bytes_text(compute.mem_bytes)
    if compute.gpu:
        limits["nvidia.com/gpu"] = compute.gpu
    if compute.inf:
        limits["aws.amazon.com/neuron"] = compute.inf
        limits["hugepages-2Mi"] = bytes_text(compute.inf * HUGE_PAGES_PER_CHIP)
        place.below("inf").note(
            "Cortex gave the container SYS_ADMIN and IPC_LOCK, which Neuron Runtime 1 needs; they are left out: use "
            "version 2, or set its securityContext"
        )
    return {key: value for key, value in (("requests", requests), ("limits", limits)) if value}


def largest_shm(containers: Sequence[Container], place: Place) -> str | None:
    """Return the size of /dev/shm. The chart has one for all containers of a pod, Cortex one for each."""
    sizes = [one.compute.shm_bytes for one in containers]
    given = [size for size in sizes if size is not None]
    if not given:
        return None
    if len(set(sizes)) > 1:
        for index, size in enumerate(sizes):
            if size is not None:
                place.below(index, "compute", "shm").note(
                    f"the containers of a pod share one /dev/shm of {bytes_text(max(given))}, the largest one"
                )
    return bytes_text(max(given))


def bytes_text(size: int) -> str:
    """Return an amount of memory as Kubernetes writes it: `512Mi`."""
    for unit, factor in _UNITS:
        if size and size % factor == 0:
            return f"{size // factor}{unit}"
    return str(size)
