"""Containers that end, or that fail their probes: which are started again, and what their status says."""

from __future__ import annotations

import pytest

from tests.integration.waiting import eventually
from tests.kubelet.back_off import BackOff
from tests.kubelet.node import Node
from tests.kubelet.stage import ENDS_AT_ONCE, WEB_SERVER, WHY_NOT, container, sidecar, start, wait_up
from tests.kubelet.status import SIGKILLED, Terminated

needs_pods = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "-")

EXIT_3 = "import sys; sys.exit(3)"


@needs_pods
@pytest.mark.parametrize(
    ("policy", "program", "phase"),
    [("Never", "", "Succeeded"), ("Never", EXIT_3, "Failed"), ("OnFailure", "", "Succeeded")],
)
def test_the_pod_ends_with_its_main_container_and_then_its_sidecars_do(
    node: Node, policy: str, program: str, phase: str
) -> None:
    pod = start(
        node, container("main", program), restartPolicy=policy, initContainers=[sidecar("server", ENDS_AT_ONCE)]
    )
    assert pod.wait_ended() == phase
    assert pod.container("main").status.restart_count == 0
    assert pod.events[-1][0] == "server"


@needs_pods
@pytest.mark.parametrize(("policy", "program"), [("Always", ""), ("OnFailure", EXIT_3)])
def test_a_container_that_ends_is_started_again_when_the_pod_says_so(node: Node, policy: str, program: str) -> None:
    pod = start(node, container("main", program), restartPolicy=policy)
    eventually(lambda: pod.container("main").status.restart_count >= 2, "two restarts")
    assert pod.phase == "Running"
    assert pod.container("main").status.last_state == Terminated(
        exit_code=3 if program else 0, reason="Error" if program else "Completed"
    )


@needs_pods
def test_a_sidecar_that_is_killed_for_memory_is_started_again_alone_and_its_status_says_why(node: Node) -> None:
    pod = start(
        node, container("main", ENDS_AT_ONCE), restartPolicy="Never", initContainers=[sidecar("server", ENDS_AT_ONCE)]
    )
    wait_up(pod, "server", "main")
    pod.kill("server", is_oom=True)
    status = pod.container("server").status
    eventually(lambda: status.restart_count == 1 and status.running, "the restart")
    assert status.last_state == Terminated(exit_code=SIGKILLED, reason="OOMKilled")
    assert pod.phase == "Running"
    assert pod.happened("runs") == [("server", "runs"), ("main", "runs"), ("server", "runs")]


@needs_pods
def test_a_failed_liveness_probe_restarts_its_container_alone(node: Node) -> None:
    probe = {"httpGet": {"port": 8080, "path": "/broken"}, "periodSeconds": 0.1, "failureThreshold": 2}
    inits = [sidecar("server", WEB_SERVER, livenessProbe=probe)]
    pod = start(node, container("main", ENDS_AT_ONCE), initContainers=inits)
    eventually(lambda: pod.container("server").status.restart_count, "the restart")
    assert ("server", "liveness probe failed") in pod.events
    assert pod.container("server").status.last_state == Terminated(exit_code=143, reason="Error")
    assert pod.container("main").status.restart_count == 0


@needs_pods
def test_a_hook_delays_the_restart_for_no_longer_than_the_grace_of_the_liveness_probe(node: Node) -> None:
    hook = {"preStop": {"sleep": {"seconds": 3600}}}
    probe = {"exec": {"command": ["false"]}, "failureThreshold": 1, "terminationGracePeriodSeconds": 1}
    pod = start(node, container("main", ENDS_AT_ONCE, lifecycle=hook, livenessProbe=probe))
    eventually(lambda: pod.container("main").status.restart_count, "the restart")
    assert pod.happened("liveness probe failed", "preStop", "SIGTERM")[:3] == [
        ("main", "liveness probe failed"),
        ("main", "preStop"),
        ("main", "SIGTERM"),
    ]


@needs_pods
def test_a_startup_probe_that_never_passes_restarts_its_container_and_holds_back_the_others(node: Node) -> None:
    probe = {"tcpSocket": {"port": 8080}, "periodSeconds": 0.1, "failureThreshold": 2}
    inits = [sidecar("server", ENDS_AT_ONCE, startupProbe=probe)]
    pod = start(node, container("main", ENDS_AT_ONCE), initContainers=inits)
    eventually(lambda: pod.container("server").status.restart_count >= 2, "two restarts")
    assert ("server", "startup probe failed") in pod.events
    assert ("main", "runs") not in pod.events
    assert pod.phase == "Pending"


def test_the_first_restart_is_at_once_and_then_the_pauses_double() -> None:
    back_off = BackOff()
    assert [back_off.pause_s(restarts) for restarts in range(8)] == [0, 10, 20, 40, 80, 160, 300, 300]
