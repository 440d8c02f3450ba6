"""The specification of a pod, as it is run here: read from the fields of Kubernetes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dequeuer.probes.base import ProbeTiming
from tests.kubelet.actions import Action, Sleep, read_action
from tests.kubelet.errors import UnsupportedError, only_known

DEFAULT_GRACE_S = 30
TIMING = ("initialDelaySeconds", "timeoutSeconds", "periodSeconds", "successThreshold", "failureThreshold")
CONTAINER_FIELDS = (
    *("name", "image", "command", "args", "env", "envFrom", "ports", "volumeMounts", "restartPolicy", "lifecycle"),
    *("startupProbe", "livenessProbe", "readinessProbe"),
    # Not enforced, or without a meaning for processes.
    *("imagePullPolicy", "resources", "securityContext", "terminationMessagePolicy"),
)
POD_FIELDS = (
    *("initContainers", "containers", "volumes", "restartPolicy", "terminationGracePeriodSeconds"),
    # They decide where pods run, as whom, and what the network has.
    *("affinity", "automountServiceAccountToken", "enableServiceLinks", "imagePullSecrets", "nodeSelector"),
    *("priorityClassName", "runtimeClassName", "securityContext", "serviceAccountName", "tolerations"),
    "topologySpreadConstraints",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSpec:
    """A probe of the kubelet. `grace_s`: of the container when the probe fails; None: that of the pod."""

    action: Action
    timing: ProbeTiming
    grace_s: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Mount:
    """A volume in a container. `sub_path`: one file or folder of the volume; "": all of it."""

    volume: str
    path: str
    sub_path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerSpec:
    """A container. `command` and `args` replace what the image has. `is_sidecar`: an init container that keeps running."""

    name: str
    image: str
    command: Sequence[str] | None
    args: Sequence[str] | None
    env: Sequence[Mapping[str, Any]]
    env_from: Sequence[Mapping[str, Any]]
    mounts: Sequence[Mount]
    is_sidecar: bool
    startup: ProbeSpec | None
    liveness: ProbeSpec | None
    readiness: ProbeSpec | None
    pre_stop: Action | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PodSpec:
    """A pod. `restart_policy`: Always, OnFailure or Never, of its main and init containers."""

    init_containers: Sequence[ContainerSpec]
    containers: Sequence[ContainerSpec]
    volumes: Mapping[str, Mapping[str, Any]]
    restart_policy: str
    grace_s: int


def read_pod(given: Mapping[str, Any]) -> PodSpec:
    """Return a pod specification. Raises `UnsupportedError`."""
    only_known(given, POD_FIELDS, "the pod")
    pod = PodSpec(
        init_containers=[_container(one, is_init=True) for one in given.get("initContainers", ())],
        containers=[_container(one, is_init=False) for one in given["containers"]],
        volumes={volume["name"]: volume for volume in given.get("volumes", ())},
        restart_policy=given.get("restartPolicy", "Always"),
        grace_s=given.get("terminationGracePeriodSeconds", DEFAULT_GRACE_S),
    )
    names = [container.name for container in (*pod.init_containers, *pod.containers)]
    if len(set(names)) < len(names):
        raise UnsupportedError(f"the pod has two containers of one name: {names}")
    return pod


def _container(given: Mapping[str, Any], *, is_init: bool) -> ContainerSpec:
    what = f"the container '{given['name']}'"
    only_known(given, CONTAINER_FIELDS, what)
    policy = given.get("restartPolicy")
    if policy is not None and not (is_init and policy == "Always"):
        raise UnsupportedError(f"{what} has restartPolicy {policy}; known is Always, of an init container")
    ports = {port["name"]: port["containerPort"] for port in given.get("ports", ()) if "name" in port}
    lifecycle = given.get("lifecycle", {})
    only_known(lifecycle, ("preStop",), f"{what}: lifecycle")
    hook = lifecycle.get("preStop")
    return ContainerSpec(
        name=given["name"],
        image=given["image"],
        command=given.get("command"),
        args=given.get("args"),
        env=given.get("env", ()),
        env_from=given.get("envFrom", ()),
        mounts=[_mount(mount, what) for mount in given.get("volumeMounts", ())],
        is_sidecar=policy is not None,
        startup=_probe(given, "startupProbe", ports, what),
        liveness=_probe(given, "livenessProbe", ports, what),
        readiness=_probe(given, "readinessProbe", ports, what),
        pre_stop=None if hook is None else read_action(hook, ports, f"{what}: preStop"),
    )


def _mount(given: Mapping[str, Any], what: str) -> Mount:
    only_known(given, ("name", "mountPath", "subPath", "readOnly"), f"{what}: a volume mount")
    return Mount(volume=given["name"], path=given["mountPath"], sub_path=given.get("subPath", ""))


def _probe(container: Mapping[str, Any], name: str, ports: Mapping[str, int], what: str) -> ProbeSpec | None:
    given = container.get(name)
    if given is None:
        return None
    what = f"{what}: {name}"
    only_known(given, (*TIMING, "httpGet", "tcpSocket", "exec", "terminationGracePeriodSeconds"), what)
    action = read_action(given, ports, what)
    if isinstance(action, Sleep):
        raise UnsupportedError(f"{what} is a sleep, which only hooks can be")
    defaults = ProbeTiming()
    timing = ProbeTiming(
        initial_delay_s=given.get("initialDelaySeconds", defaults.initial_delay_s),
        timeout_s=given.get("timeoutSeconds", defaults.timeout_s),
        period_s=given.get("periodSeconds", defaults.period_s),
        success_threshold=given.get("successThreshold", defaults.success_threshold),
        failure_threshold=given.get("failureThreshold", defaults.failure_threshold),
    )
    return ProbeSpec(action=action, timing=timing, grace_s=given.get("terminationGracePeriodSeconds"))
