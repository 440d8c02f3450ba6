from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from dequeuer.check.finding import Finding, State
from dequeuer.check.kubernetes import check_kubernetes, find_api, judge_grace, judge_order, judge_version
from dequeuer.check.plan import MIB, PodNeed
from dequeuer.kubernetes.base import KubernetesVersion
from dequeuer.kubernetes.client import KubernetesClient
from tests.kubernetes.api_server import ApiServer, api_server

NEED = PodNeed(
    grace_s=60,
    grace_because="DEQUEUER_SHUTDOWN_GRACE + 5 s",
    memory_bytes=128 * MIB,
    connections=200,
    ports={},
    admin_port=15000,
    has_container=True,
)
HOOK = {"preStop": {"httpGet": {"path": "/wait-for-drain", "port": 15000}}}


def pod(
    main: list[dict[str, Any]], init: list[dict[str, Any]] | None = None, grace_s: int | None = 60
) -> dict[str, Any]:
    grace = {} if grace_s is None else {"terminationGracePeriodSeconds": grace_s}
    return {"spec": {"containers": main, "initContainers": init or [], **grace}}


NATIVE = pod([{"name": "dequeuer"}], [{"name": "setup"}, {"name": "api", "restartPolicy": "Always"}])


@pytest.fixture
async def server(tmp_path: Path, certificate: Path) -> AsyncIterator[ApiServer]:
    async with api_server(tmp_path / "service-account", certificate) as running:
        running.pod = NATIVE
        yield running


async def check(server: ApiServer, given_s: int | None = None) -> Mapping[str, Finding]:
    found = await check_kubernetes(KubernetesClient(server.cluster), NEED, given_s)
    return {str(one.id): one for one in found}


async def test_of_a_pod_with_native_sidecars_nothing_is_wrong(server: ApiServer) -> None:
    found = await check(server)
    assert {name: one.verdict.state for name, one in found.items()} == {
        "kubernetes.version": "ok",
        "pod.grace": "ok",
        "pod.order": "ok",
    }
    assert found["kubernetes.version"].verdict.found == "1.29"


async def test_a_grace_that_is_too_short_is_read_from_the_pod(server: ApiServer) -> None:
    server.pod = pod([{"name": "dequeuer"}], grace_s=59)
    assert (await check(server))["pod.grace"].verdict.state == "fault"


async def test_a_pod_that_names_no_grace_has_that_of_kubernetes(server: ApiServer) -> None:
    server.pod = pod([{"name": "dequeuer"}], grace_s=None)
    assert (await check(server))["pod.grace"].verdict.found.startswith("terminationGracePeriodSeconds is 30;")


async def test_a_service_account_that_may_not_read_its_pod_knows_the_version_all_the_same(server: ApiServer) -> None:
    server.pod = {}
    server.status = 403
    found = await check(server)
    assert {one.verdict.state for one in found.values()} == {"not_known"}
    assert "needs the verb get on pods" in found["pod.order"].verdict.found
    assert "--pod-grace" in found["pod.grace"].verdict.action


async def test_a_grace_that_is_given_wins(server: ApiServer) -> None:
    assert (await check(server, 10))["pod.grace"].verdict.state == "fault"


async def test_outside_of_a_cluster_nothing_is_known(tmp_path: Path) -> None:
    api = find_api({}, NEED)
    assert api == "this is no pod of Kubernetes"
    found = await check_kubernetes(api, NEED, None)
    assert {str(one.id): one.verdict.state for one in found} == {
        "kubernetes.version": "not_known",
        "pod.grace": "not_known",
        "pod.order": "not_known",
    }


def test_in_a_pod_without_a_service_account_the_reason_is_told() -> None:
    api = find_api({"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "443", "HOSTNAME": "pod-1"}, NEED)
    assert isinstance(api, str)
    assert "serviceaccount" in api


@pytest.mark.parametrize(("minor", "state"), [(28, "warning"), (29, "ok"), (35, "ok")])
def test_native_sidecars_need_a_version(minor: int, state: State) -> None:
    assert judge_version(KubernetesVersion(major=1, minor=minor), NEED).state == state


@pytest.mark.parametrize(("grace_s", "state"), [(60, "ok"), (59, "fault")])
def test_the_pod_must_be_given_the_time(grace_s: int, state: State) -> None:
    assert judge_grace(grace_s, NEED).state == state


@pytest.mark.parametrize(
    ("found", "state"),
    [
        (NATIVE, "ok"),
        (pod([{"name": "dequeuer"}, {"name": "api", "lifecycle": HOOK}]), "ok"),
        (pod([{"name": "dequeuer"}, {"name": "api"}]), "warning"),
        # The container of the user gets SIGTERM first.
        (pod([{"name": "api"}], [{"name": "dequeuer", "restartPolicy": "Always"}]), "warning"),
        (pod([{"name": "dequeuer"}]), "ok"),
        (pod([{"name": "worker", "env": [{"name": "DEQUEUER_API_KIND", "value": "async"}]}]), "ok"),
        (pod([{"name": "worker", "env": [{"name": "OTHER"}, 1]}]), "not_known"),
        ({}, "not_known"),
        ({"spec": {"containers": "x"}}, "not_known"),
    ],
)
def test_the_order_of_the_containers(found: Mapping[str, Any], state: State) -> None:
    assert judge_order(found).state == state
