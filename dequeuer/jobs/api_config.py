"""From an API of cortex.yaml to what is shown of it: its configuration in Cortex's form, and ids made of that.

The same configuration gives the same ids in every process, so whoever runs a job can tell that its API has changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from dequeuer.apis import Api, AsyncApi, BatchApi, RealtimeApi, TaskApi, TrafficSplitter
from dequeuer.apis.container import HttpGet, PreStop, SidecarProbe
from dequeuer.formats.go_json import encode
from dequeuer.jobs.deployed_api import ApiSpec, DeployedApi

_LABEL_CHARS: Final = 63
_SPEC_ID_CHARS: Final = 32
_BINARY: Final = (("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10))


def api_spec(api: Api, *, index: int = 0, file_name: str = "") -> ApiSpec:
    """Return an API of any kind as `cortex get` shows it. `index`: its place in the file."""
    pod = None if isinstance(api, TrafficSplitter) else _pod(api)
    networking = {"endpoint": api.endpoint}
    groups = None if isinstance(api, TrafficSplitter) else api.node_groups
    node_groups = None if groups is None else list(groups)
    targets = _targets(api) if isinstance(api, TrafficSplitter) else None
    autoscaling = _autoscaling(api) if isinstance(api, RealtimeApi | AsyncApi) else None
    update_strategy = _update_strategy(api) if isinstance(api, RealtimeApi | AsyncApi) else None
    # Whoever runs a job compares its ids with these: a kind that has jobs has no more than the first three.
    more = [part for part in (targets, autoscaling, update_strategy) if part is not None]
    pod_id = _hash([api.name, api.kind, pod])[:_LABEL_CHARS]
    spec_id = _hash([pod_id, networking, node_groups, *more])[:_SPEC_ID_CHARS]
    config = {
        "name": api.name,
        "kind": api.kind,
        "pod": pod,
        "node_groups": node_groups,
        "apis": targets,
        "networking": networking,
        "autoscaling": autoscaling,
        "update_strategy": update_strategy,
        "index": index,
        "file_name": file_name,
        "submitted_api_spec": None,
    }
    return ApiSpec(name=api.name, api_id=spec_id, spec_id=spec_id, pod_id=pod_id, config=config)


def deployed_api(api: BatchApi | TaskApi, *, index: int = 0, file_name: str = "") -> DeployedApi:
    """Return an API as its jobs show it. `index`: its place in the file."""
    spec = api_spec(api, index=index, file_name=file_name)
    return DeployedApi(
        name=api.name,
        kind=api.kind,
        endpoint=api.endpoint,
        api_id=spec.api_id,
        spec_id=spec.spec_id,
        pod_id=spec.pod_id,
        config=spec.config,
    )


def _pod(api: RealtimeApi | AsyncApi | BatchApi | TaskApi) -> dict[str, Any]:
    return {
        "port": None if isinstance(api, TaskApi) else api.pod.port,
        "max_queue_length": api.pod.max_queue_length if isinstance(api, RealtimeApi) else 0,
        "max_concurrency": api.pod.max_concurrency if isinstance(api, RealtimeApi | AsyncApi) else 0,
        "containers": [_container(container) for container in api.pod.containers],
    }


def _targets(api: TrafficSplitter) -> list[dict[str, Any]]:
    return [{"name": one.name, "weight": one.weight, "shadow": one.shadow} for one in api.apis]


def _autoscaling(api: RealtimeApi | AsyncApi) -> dict[str, Any]:
    scaling = api.autoscaling
    return {
        "min_replicas": scaling.min_replicas,
        "max_replicas": scaling.max_replicas,
        "init_replicas": scaling.init_replicas,
        "target_in_flight": api.target_in_flight,
        "window": _nanoseconds(scaling.window_s),
        "downscale_stabilization_period": _nanoseconds(scaling.downscale_stabilization_period_s),
        "upscale_stabilization_period": _nanoseconds(scaling.upscale_stabilization_period_s),
        "max_downscale_factor": scaling.max_downscale_factor,
        "max_upscale_factor": scaling.max_upscale_factor,
        "downscale_tolerance": scaling.downscale_tolerance,
        "upscale_tolerance": scaling.upscale_tolerance,
    }


def _update_strategy(api: RealtimeApi | AsyncApi) -> dict[str, Any]:
    strategy = api.update_strategy
    return {"max_surge": strategy.max_surge, "max_unavailable": strategy.max_unavailable}


def _nanoseconds(seconds: float) -> int:
    return round(seconds * 1e9)


def _container(container: Any) -> dict[str, Any]:
    compute = container.compute
    return {
        "name": container.name,
        "image": container.image,
        "env": dict(sorted(container.env.items())),
        "command": _list(container.command),
        "args": _list(container.args),
        "readiness_probe": _probe(getattr(container, "readiness_probe", None)),
        "liveness_probe": _probe(container.liveness_probe),
        "pre_stop": _pre_stop(getattr(container, "pre_stop", None)),
        "compute": {
            "cpu": _cpu(compute.cpu_millis),
            "mem": _bytes(compute.mem_bytes),
            "gpu": compute.gpu,
            "inf": compute.inf,
            "shm": _bytes(compute.shm_bytes),
        },
    }


def _probe(probe: SidecarProbe | None) -> dict[str, Any] | None:
    if probe is None:
        return None
    command = getattr(probe, "exec", None)
    return {
        "http_get": _http_get(probe.http_get),
        "tcp_socket": probe.tcp_socket and {"port": probe.tcp_socket.port},
        "exec": command and {"command": list(command.command)},
        "initial_delay_seconds": probe.initial_delay_s,
        "timeout_seconds": probe.timeout_s,
        "period_seconds": probe.period_s,
        "success_threshold": probe.success_threshold,
        "failure_threshold": probe.failure_threshold,
    }


def _pre_stop(hook: PreStop | None) -> dict[str, Any] | None:
    if hook is None:
        return None
    return {"http_get": _http_get(hook.http_get), "exec": hook.exec and {"command": list(hook.exec.command)}}


def _http_get(handler: HttpGet | None) -> Mapping[str, Any] | None:
    return None if handler is None else {"path": handler.path, "port": handler.port}


def _list(values: tuple[str, ...] | None) -> list[str] | None:
    return None if values is None else list(values)


def _cpu(millis: int | None) -> str | None:
    if millis is None:
        return None
    return f"{millis}m" if millis % 1000 else str(millis // 1000)


def _bytes(size: int | None) -> str | None:
    if size is None:
        return None
    return next((f"{size // unit}{name}" for name, unit in _BINARY if size and size % unit == 0), str(size))


def _hash(value: Any) -> str:
    return hashlib.sha256(encode(value).encode()).hexdigest()
