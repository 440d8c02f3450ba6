from __future__ import annotations

import resource
import socket

import pytest

from dequeuer.check.finding import State
from dequeuer.check.plan import MIB, PodNeed
from dequeuer.check.pod import is_free, judge_cpu, judge_memory, judge_open_files, judge_port
from dequeuer.process.cgroup_limits import ProcessLimits

NEED = PodNeed(memory_bytes=128 * MIB, connections=200, ports={"DEQUEUER_ADMIN_PORT": 15000}, admin_port=15000)


@pytest.mark.parametrize(
    ("limit", "state"),
    [(None, "ok"), (128 * MIB, "ok"), (127 * MIB, "warning"), (64 * MIB, "warning"), (64 * MIB - 1, "fault")],
)
def test_memory_must_suffice(limit: int | None, state: State) -> None:
    assert judge_memory(ProcessLimits(memory_bytes=limit, cpus=None), NEED).state == state


@pytest.mark.parametrize(("cpus", "state"), [(None, "ok"), (0.1, "ok"), (0.05, "warning")])
def test_cpu_must_suffice(cpus: float | None, state: State) -> None:
    assert judge_cpu(ProcessLimits(memory_bytes=None, cpus=cpus)).state == state


def test_a_machine_that_does_not_say_is_not_known() -> None:
    assert judge_memory(None, NEED).state == judge_cpu(None).state == "not_known"


@pytest.mark.parametrize(("limit", "state"), [(resource.RLIM_INFINITY, "ok"), (200, "ok"), (199, "warning")])
def test_enough_files_must_be_allowed(limit: int, state: State) -> None:
    assert judge_open_files(limit, NEED).state == state


@pytest.mark.parametrize(
    ("is_port_free", "is_running", "state"),
    [(True, False, "ok"), (False, True, "ok"), (False, False, "fault")],
)
def test_a_port_must_be_free_unless_the_program_itself_has_it(
    is_port_free: bool, is_running: bool, state: State
) -> None:
    verdict = judge_port(15000, "DEQUEUER_ADMIN_PORT", is_free=is_port_free, is_running=is_running)
    assert verdict.state == state


def test_a_port_on_which_somebody_listens_is_not_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        assert not is_free(port)
    assert is_free(port)
