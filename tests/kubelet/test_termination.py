"""How containers end: in which order, with which hooks, and after which time."""

from __future__ import annotations

import pytest

from tests.integration.waiting import eventually
from tests.kubelet import container as containers
from tests.kubelet.node import Node
from tests.kubelet.stage import (
    DOES_NOT_END,
    ENDS_AT_ONCE,
    ENDS_WITH_0,
    SHARED,
    VOLUMES,
    WEB_SERVER,
    WHY_NOT,
    container,
    sidecar,
    start,
    wait_up,
)

pytestmark = pytest.mark.skipif(bool(WHY_NOT), reason=WHY_NOT or "-")


def test_sidecars_get_sigterm_in_reverse_order_after_the_main_containers_have_ended(node: Node) -> None:
    inits = [sidecar("first", ENDS_AT_ONCE), sidecar("second", ENDS_WITH_0)]
    pod = start(node, container("main", ENDS_WITH_0), initContainers=inits)
    wait_up(pod, "first", "second", "main")
    pod.delete()
    assert pod.wait_ended() == "Succeeded"
    assert pod.events[-6:] == [
        ("main", "SIGTERM"),
        ("main", "ended 0"),
        ("second", "SIGTERM"),
        ("second", "ended 0"),
        ("first", "SIGTERM"),
        ("first", "ended 143"),
    ]


def test_main_containers_get_sigterm_together(node: Node) -> None:
    pod = start(node, container("one", DOES_NOT_END), container("other", DOES_NOT_END))
    wait_up(pod, "one", "other")
    pod.delete(grace_s=2)
    assert pod.wait_ended() == "Failed"
    events = pod.happened("SIGTERM", "SIGKILL")
    assert events[:2] == [("one", "SIGTERM"), ("other", "SIGTERM")]
    assert sorted(events[2:]) == [("one", "SIGKILL"), ("other", "SIGKILL")]


def test_when_the_grace_is_over_sidecars_get_sigterm_although_the_main_container_still_runs(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "MIN_GRACE_S", 10)  # a stalled machine may need more than the kubelet's two
    pod = start(node, container("main", DOES_NOT_END), initContainers=[sidecar("server", ENDS_AT_ONCE)])
    wait_up(pod, "main", "server")
    pod.delete(grace_s=3)
    pod.wait_ended()
    assert pod.happened("SIGTERM", "SIGKILL", "ended 137", "ended 143") == [
        ("main", "SIGTERM"),
        ("server", "SIGTERM"),
        ("server", "ended 143"),
        ("main", "SIGKILL"),
        ("main", "ended 137"),
    ]


HELD_BACK = ["preStop", "preStop ended", "SIGTERM", "ended 143"]
"""The end of a container with a hook."""


def test_a_hook_holds_sigterm_back_from_its_own_container_alone(node: Node) -> None:
    hook = {"preStop": {"httpGet": {"port": 8080, "path": "/wait"}}}
    pod = start(node, container("server", WEB_SERVER, lifecycle=hook), container("other", ENDS_AT_ONCE))
    wait_up(pod, "server", "other")
    pod.delete()
    pod.wait_ended()
    assert [what for name, what in pod.events if name == "server"][-4:] == HELD_BACK
    assert pod.events.index(("other", "SIGTERM")) < pod.events.index(("server", "preStop ended"))
    assert "/wait" in pod.lines["server"]


@pytest.mark.parametrize("hook", [{"exec": {"command": ["false"]}}, {"httpGet": {"port": 9, "path": "/"}}])
def test_a_hook_that_fails_holds_nothing_back(node: Node, hook: dict[str, object]) -> None:
    pod = start(node, container("main", ENDS_AT_ONCE, lifecycle={"preStop": hook}))
    wait_up(pod, "main")
    pod.delete()
    pod.wait_ended()
    assert pod.events[-4:] == [
        ("main", "preStop"),
        ("main", "preStop failed"),
        ("main", "SIGTERM"),
        ("main", "ended 143"),
    ]


def test_a_hook_that_takes_longer_than_the_grace_is_cut(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(containers, "MIN_GRACE_S", 30)  # a stalled machine may need more than the kubelet's two
    hook = {"preStop": {"sleep": {"seconds": 3600}}}
    pod = start(node, container("main", ENDS_AT_ONCE, lifecycle=hook))
    wait_up(pod, "main")
    pod.delete(grace_s=1)
    pod.wait_ended()
    assert pod.events[-2:] == [("main", "SIGTERM"), ("main", "ended 143")]


def test_the_hook_of_a_sidecar_runs_at_once_not_when_its_turn_comes(node: Node) -> None:
    # The main container ends once the hook has run: a hook that waited for its turn would not let it.
    hook = {"preStop": {"exec": {"command": ["touch", "/shared/there"]}}}
    ends_late = """
import os, signal, time
signal.signal(15, signal.SIG_IGN)
print('up')
while not os.path.exists('/shared/there'):
    time.sleep(0.01)
"""
    inits = [sidecar("server", ENDS_AT_ONCE, lifecycle=hook, **SHARED)]
    main = container("main", ends_late, **SHARED)
    pod = start(node, main, restartPolicy="Never", initContainers=inits, volumes=VOLUMES)
    wait_up(pod, "server", "main")
    pod.delete()
    assert pod.wait_ended() == "Succeeded"
    assert [what for name, what in pod.events if name == "server"][-4:] == HELD_BACK
    assert pod.events.index(("main", "ended 0")) < pod.events.index(("server", "SIGTERM"))


def test_a_deletion_while_containers_start_ends_those_that_run(node: Node) -> None:
    pod = start(node, container("main", ENDS_AT_ONCE), initContainers=[container("slow", ENDS_AT_ONCE)])
    wait_up(pod, "slow")
    pod.delete()
    assert pod.wait_ended() == "Failed"
    assert pod.happened("runs") == [("slow", "runs")]


def test_a_sidecar_that_ends_while_the_pod_ends_is_not_restarted(node: Node) -> None:
    pod = start(node, container("main", DOES_NOT_END), initContainers=[sidecar("server", ENDS_AT_ONCE)])
    wait_up(pod, "server", "main")
    pod.delete(grace_s=4)
    eventually(lambda: pod.happened("SIGTERM"), "the end to begin")
    pod.kill("server")
    pod.wait_ended()
    assert pod.container("server").status.restart_count == 0
