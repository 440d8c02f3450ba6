"""An API, as specifications show it: any, and one that has jobs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dequeuer.jobs.layout import JobKind


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiSpec:
    """An API of any kind.

    Attributes:
        name: `jobs.layout.is_job_api_name`.
        api_id: changes when anything in its configuration changes.
        spec_id: likewise.
        pod_id: changes when its pod changes.
        config: its configuration for JSON, in Cortex's form.
    """

    name: str
    api_id: str
    spec_id: str
    pod_id: str
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeployedApi(ApiSpec):
    """An API of the kinds BatchAPI and TaskAPI.

    Attributes:
        kind: of the API.
        endpoint: its path; begins with a slash.
    """

    kind: JobKind
    endpoint: str


def api_spec_fields(api: ApiSpec, cluster_uid: str, version: str) -> dict[str, Any]:
    """Return the fields of the API's specification for JSON, in Cortex's order.

    There are no deployments here, so what tells them apart is empty.
    """
    root = f"{cluster_uid}/apis/{api.name}"
    return {
        **api.config,
        "id": api.api_id,
        "spec_id": api.spec_id,
        "pod_id": api.pod_id,
        "deployment_id": "",
        "key": f"{root}/api/{api.api_id}/{version}-spec.json",
        "initial_deployment_time": 0,
        "last_updated": 0,
        "metadata_root": f"{root}/metadata",
    }
