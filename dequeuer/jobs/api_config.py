"""From an API of cortex.yaml to what its jobs show of it: its configuration in Cortex's form, and ids made of that.

The same configuration gives the same ids in every process, so whoever runs a job can tell that its API has changed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from dequeuer.apis import BatchApi, TaskApi
from dequeuer.apis.container import HttpGet, SidecarProbe
from dequeuer.formats.go_json import encode
from dequeuer.jobs.deployed_api import DeployedApi

_LABEL_CHARS: Final = 63
_SPEC_ID_CHARS: Final = 32
_BINARY: Final = (("Gi", 1 << 30), ("Mi", 1 << 20), ("Ki", 1 << 10))


def deployed_api(api: BatchApi | TaskApi, *, index: int = 0, file_name: str = "") -> DeployedApi:
    """Return an API as its jobs show it. `index`: its place in the file."""
    pod = {
        "port": api.pod.port if isinstance(api, BatchApi) else None,
        "max_queue_length": 0,
        "max_concurrency": 0,
        "containers": [_container(container) for container in api.pod.containers],
    }
    networking = {"endpoint": api.endpoint}
    node_groups = None if api.node_groups is None else list(api.node_groups)
    pod_id = _hash([api.name, api.kind, pod])[:_LABEL_CHARS]
    spec_id = _hash([pod_id, networking, node_groups])[:_SPEC_ID_CHARS]
    config = {
        "name": api.name,
        "kind": api.kind,
        "pod": pod,
        "node_groups": node_groups,
        "apis": None,
        "networking": networking,
        "autoscaling": None,
        "update_strategy": None,
        "index": index,
        "file_name": file_name,
        "submitted_api_spec": None,
    }
    return DeployedApi(
        name=api.name,
        kind=api.kind,
        endpoint=api.endpoint,
        api_id=spec_id,
        spec_id=spec_id,
        pod_id=pod_id,
        config=config,
    )


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
        "pre_stop": None,
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
