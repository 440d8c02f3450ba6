"""Kubernetes: its version, the order of the pod's containers, and how long the pod may take to end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from dequeuer.check.finding import CheckId, Finding, Verdict, fault, not_known, ok, warning
from dequeuer.check.plan import PodNeed
from dequeuer.core.errors import ConfigurationError, clip
from dequeuer.kubernetes.base import (
    KubernetesDeniedError,
    KubernetesUnavailableError,
    KubernetesVersion,
    PodApi,
)
from dequeuer.kubernetes.client import KubernetesClient
from dequeuer.kubernetes.in_cluster import HOST, find_in_cluster
from dequeuer.settings.environment import PREFIX

NATIVE_SIDECARS: Final = KubernetesVersion(major=1, minor=29)
"""From here on init containers with `restartPolicy: Always` are sidecars by default."""
OWN_NAMES: Final = frozenset({"dequeuer", "proxy"})
"""Names that Cortex reserves for its sidecars."""
DRAIN_PATH: Final = "/wait-for-drain"
DEFAULT_GRACE_S: Final = 30
"""Of Kubernetes, for a pod that names none."""
_ERRORS: Final = (KubernetesDeniedError, KubernetesUnavailableError)


def find_api(environ: Mapping[str, str], need: PodNeed) -> PodApi | str:
    """Return the API server of this pod, or why there is none."""
    if not environ.get(HOST):
        return "this is no pod of Kubernetes"
    try:
        return KubernetesClient(find_in_cluster(environ, need.name, Path(need.service_account)))
    except ConfigurationError as error:
        return clip("; ".join(error.faults))


async def check_kubernetes(api: PodApi | str, need: PodNeed, pod_grace_s: int | None) -> list[Finding]:
    """Return the findings about the cluster and the pod.

    Args:
        api: the API server, or why there is none.
        need: of the program.
        pod_grace_s: `terminationGracePeriodSeconds` as it was given; None: it was not.
    """
    pod = await _read_pod(api)
    verdicts: dict[CheckId, Verdict] = {"kubernetes.version": await _version(api, need)}
    if need.grace_s:
        verdicts["pod.grace"] = _grace(pod, need, pod_grace_s)
    if need.has_container:
        verdicts["pod.order"] = not_known(pod) if isinstance(pod, str) else judge_order(pod)
    return [Finding(id=check, subject="", verdict=verdict) for check, verdict in verdicts.items()]


async def _version(api: PodApi | str, need: PodNeed) -> Verdict:
    if isinstance(api, str):
        return not_known(api)
    try:
        return judge_version(await api.read_version(), need)
    except _ERRORS as error:
        return not_known(clip(str(error)))


async def _read_pod(api: PodApi | str) -> Mapping[str, Any] | str:
    """Return the pod, or why it is not known."""
    if isinstance(api, str):
        return api
    try:
        return await api.read_pod()
    except _ERRORS as error:
        return clip(str(error))


def judge_version(found: KubernetesVersion, need: PodNeed) -> Verdict:
    """Return whether the cluster has native sidecars."""
    text = f"{found.major}.{found.minor}"
    if found >= NATIVE_SIDECARS or not need.has_container:
        return ok(text)
    return warning(
        f"{text}: init containers with restartPolicy Always are no sidecars there",
        "use the form with preStop: both as containers of the pod, and a preStop hook that calls /wait-for-drain",
    )


def _grace(pod: Mapping[str, Any] | str, need: PodNeed, given_s: int | None) -> Verdict:
    if given_s is not None:
        return judge_grace(given_s, need)
    if isinstance(pod, str):
        return not_known(f"{pod}", f"give --pod-grace; {need.grace_s:g} s or more are needed")
    found = _spec(pod).get("terminationGracePeriodSeconds", DEFAULT_GRACE_S)
    return judge_grace(found if isinstance(found, int) else DEFAULT_GRACE_S, need)


def judge_grace(found_s: int, need: PodNeed) -> Verdict:
    """Return whether the pod is given the time that the program takes to end."""
    text = f"terminationGracePeriodSeconds is {found_s}; {need.grace_because} is {need.grace_s:g} s"
    if found_s >= need.grace_s:
        return ok(text)
    return fault(
        text,
        "the kubelet kills what still runs: set terminationGracePeriodSeconds to that, or lower the settings",
    )


def judge_order(pod: Mapping[str, Any]) -> Verdict:
    """Return whether the program gets SIGTERM before the other containers, or holds them back."""
    spec = _spec(pod)
    main = _containers(spec, "containers")
    native = [one for one in _containers(spec, "initContainers") if one.get("restartPolicy") == "Always"]
    if own := next(filter(_is_ours, native), None):
        return warning(
            f"{_name(own)} is a native sidecar: {', '.join(map(_name, main))} gets SIGTERM first",
            "requests break that it does not finish by itself: make this program the only container, and the user's "
            "containers initContainers with restartPolicy: Always",
        )
    own = next(filter(_is_ours, main), None)
    if own is None:
        return not_known("no container of this pod has settings of this program")
    unheld = [one for one in main if one is not own and not _waits_for_drain(one)]
    if unheld:
        return warning(
            f"{', '.join(map(_name, unheld))} and {_name(own)} get SIGTERM at the same time",
            "running requests break: make the user's containers initContainers with restartPolicy: Always, or give "
            "each a preStop hook that calls /wait-for-drain on the admin port",
        )
    return ok(f"{_name(own)} gets SIGTERM first, or the others wait for its drain")


def _is_ours(container: Mapping[str, Any]) -> bool:
    """Return whether a container has settings of this program."""
    variables = container.get("env")
    names = [one.get("name") for one in variables if isinstance(one, Mapping)] if isinstance(variables, list) else []
    return container.get("name") in OWN_NAMES or any(str(name).startswith(PREFIX) for name in names)


def _spec(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    spec = pod.get("spec")
    return spec if isinstance(spec, Mapping) else {}


def _containers(spec: Mapping[str, Any], name: str) -> Sequence[Mapping[str, Any]]:
    found = spec.get(name)
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []


def _name(container: Mapping[str, Any]) -> str:
    return clip(str(container.get("name")), 63)


def _waits_for_drain(container: Mapping[str, Any]) -> bool:
    lifecycle = container.get("lifecycle")
    hook = lifecycle.get("preStop") if isinstance(lifecycle, Mapping) else None
    return DRAIN_PATH in str(hook)
