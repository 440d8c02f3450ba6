"""In which order containers start, and when a pod is ready."""

from __future__ import annotations

import pytest

from tests.integration.waiting import eventually
from tests.kubelet.node import Node
from tests.kubelet.stage import ENDS_AT_ONCE, SHARED, VOLUMES, WEB_SERVER, WHY_NOT, container, sidecar, start

pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "-")

IS_THERE = "import os, sys; sys.exit(not os.path.exists('/shared/there'))"


def test_init_containers_run_one_after_the_other_before_sidecars_and_main_containers(node: Node) -> None:
    inits = [container("first", ""), container("second", ""), sidecar("third", ENDS_AT_ONCE)]
    pod = start(node, container("main", ""), restartPolicy="Never", initContainers=inits)
    assert pod.wait_ended() == "Succeeded"
    assert [event for event in pod.events if event[1] in {"runs", "ended 0"}] == [
        ("first", "runs"),
        ("first", "ended 0"),
        ("second", "runs"),
        ("second", "ended 0"),
        ("third", "runs"),
        ("main", "runs"),
        ("main", "ended 0"),
    ]


def test_what_is_behind_a_sidecar_starts_when_its_startup_probe_has_passed(node: Node) -> None:
    probe = {"exec": {"command": ["test", "-e", "/shared/there"]}, "periodSeconds": 0.1, "failureThreshold": 1000}
    program = "import pathlib, time; time.sleep(0.5); pathlib.Path('/shared/there').touch(); time.sleep(3600)"
    inits = [sidecar("slow", program, startupProbe=probe, **SHARED)]
    main = container("main", IS_THERE, **SHARED)
    pod = start(node, main, restartPolicy="Never", initContainers=inits, volumes=VOLUMES)
    assert pod.wait_ended() == "Succeeded"
    assert pod.events[:3] == [("slow", "runs"), ("slow", "started"), ("main", "runs")]


def test_an_init_container_that_fails_fails_the_pod_when_nothing_is_restarted(node: Node) -> None:
    pod = start(
        node, container("main", ""), restartPolicy="Never", initContainers=[container("bad", "import sys; sys.exit(3)")]
    )
    assert pod.wait_ended() == "Failed"
    assert pod.happened("runs") == [("bad", "runs")]


def test_an_init_container_that_fails_is_repeated_when_the_pod_restarts_containers(node: Node) -> None:
    program = "import pathlib, sys; p = pathlib.Path('/shared/there'); was = p.exists(); p.touch(); sys.exit(not was)"
    pod = start(
        node,
        container("main", IS_THERE, **SHARED),
        restartPolicy="OnFailure",
        initContainers=[container("second-time-lucky", program, **SHARED)],
        volumes=VOLUMES,
    )
    assert pod.wait_ended() == "Succeeded"
    assert pod.container("second-time-lucky").status.restart_count == 1


def test_a_pod_is_ready_when_its_main_containers_and_its_sidecars_are(node: Node) -> None:
    probe = {"httpGet": {"port": "http"}, "periodSeconds": 0.1}
    ports = [{"name": "http", "containerPort": 8080}]
    waits = "import pathlib, time\nwhile not pathlib.Path('/shared/there').exists(): time.sleep(0.01)\n" + WEB_SERVER
    inits = [sidecar("server", waits, readinessProbe=probe, ports=ports, **SHARED)]
    main = container("main", ENDS_AT_ONCE, **SHARED)
    pod = start(node, main, initContainers=inits, volumes=VOLUMES)
    eventually(lambda: pod.container("main").status.ready, "the main container")
    assert not pod.is_ready
    assert pod.phase == "Running"
    pod.volumes.folder("shared").joinpath("there").touch()
    pod.wait_ready()
    assert pod.happened("ready") == [("server", "ready")]
