"""What Cortex's operator tells of an API, for JSON. What the gateway does not know, such as replicas, is left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from typing import Any, Final

from dequeuer.gateway.endpoints import Endpoint
from dequeuer.gateway.job_service import Cluster
from dequeuer.jobs.deployed_api import ApiSpec, api_spec_fields
from dequeuer.jobs.status import JobStatus, status_fields

HIDDEN: Final = "(hidden)"
"""In the place of the values of environment variables, which may be secrets."""
_JOB_STATUSES: Final[Mapping[str, str]] = {"BatchAPI": "batch_job_statuses", "TaskAPI": "task_job_statuses"}


def listed_api(api: Endpoint, jobs: Iterable[JobStatus]) -> dict[str, Any]:
    """Return the fields of an API in a list. `jobs`: some of its jobs; their configs are left out."""
    # The configs of all jobs of all APIs together could be any number of bytes.
    return _metadata(api) | _targets(api) | _jobs(api, jobs, left_out={"config"})


def api_fields(api: Endpoint, jobs: Iterable[JobStatus], url: str, cluster: Cluster) -> dict[str, Any]:
    """Return all fields of an API. `jobs`: some of its jobs; `url`: where requests to it are sent."""
    spec = {} if api.spec is None else {"spec": _spec(api.spec, cluster)}
    return spec | _metadata(api) | _targets(api) | {"endpoint": url} | _jobs(api, jobs)


def _metadata(api: Endpoint) -> dict[str, Any]:
    known = {} if api.spec is None else {"id": api.spec.api_id}
    return {"metadata": {"name": api.api_name, "kind": api.kind, **known}}


def _targets(api: Endpoint) -> dict[str, Any]:
    targets = None if api.spec is None else api.spec.config.get("apis")
    return {} if targets is None else {"num_traffic_splitter_targets": len(targets)}


def _jobs(api: Endpoint, jobs: Iterable[JobStatus], left_out: AbstractSet[str] = frozenset()) -> dict[str, Any]:
    name = _JOB_STATUSES.get(api.kind)
    shown = [
        {field: value for field, value in status_fields(status).items() if field not in left_out} for status in jobs
    ]
    return {name: shown} if name is not None and shown else {}


def _spec(spec: ApiSpec, cluster: Cluster) -> dict[str, Any]:
    fields = api_spec_fields(spec, cluster.uid, cluster.version)
    pod = fields.get("pod")
    if pod is None:
        return fields
    containers = [one | {"env": dict.fromkeys(one["env"], HIDDEN)} for one in pod["containers"]]
    return fields | {"pod": pod | {"containers": containers}}
