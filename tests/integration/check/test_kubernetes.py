"""Faults of the pod and of the cluster, as an API server over TLS tells of them."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dequeuer.check.finding import State
from tests.integration.check.setup import SetUp
from tests.kubernetes.api_server import POD, api_server

NATIVE: Mapping[str, Any] = {
    "terminationGracePeriodSeconds": 60,
    "containers": [{"name": "dequeuer"}],
    "initContainers": [{"name": "api", "restartPolicy": "Always"}],
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A pod: `spec` replaces what is right; `expected`: what is found besides `ok`."""

    name: str
    spec: Mapping[str, Any] = field(default_factory=dict)
    status: int | None = None
    expected: Mapping[str, State]


CASES = [
    Case(name="a pod as it should be", expected={}),
    Case(
        name="a pod that is killed too soon",
        spec={"terminationGracePeriodSeconds": 59},
        expected={"pod.grace": "fault"},
    ),
    Case(
        name="two containers that get SIGTERM at the same time",
        spec={"containers": [{"name": "dequeuer"}, {"name": "api"}], "initContainers": []},
        expected={"pod.order": "warning"},
    ),
    Case(
        name="a container that gets SIGTERM first",
        spec={"containers": [{"name": "api"}], "initContainers": [{"name": "dequeuer", "restartPolicy": "Always"}]},
        expected={"pod.order": "warning"},
    ),
    Case(
        name="a service account that may read nothing",
        status=403,
        expected={"pod.grace": "not_known", "pod.order": "not_known", "kubernetes.version": "not_known"},
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_it_is_found(setup: SetUp, case: Case, tmp_path: Path, certificate: Path) -> None:
    async def run() -> dict[str, str]:
        async with api_server(tmp_path / "service-account", certificate) as server:
            server.pod = {"metadata": {"name": POD}, "spec": {**NATIVE, **case.spec}}
            server.status = case.status
            setup.flags = []
            setup.environ |= {**server.environ, "DEQUEUER_SERVICE_ACCOUNT_PATH": str(server.files)}
            found = await setup.run_here()
        return {str(one.id): one.verdict.state for one in found if one.id.startswith(("pod.", "kubernetes."))}

    states = asyncio.run(run())
    assert {name: state for name, state in states.items() if state != "ok"} == case.expected
    assert {"pod.grace", "pod.order", "kubernetes.version"} <= states.keys()
