"""What of `compute` is used on this machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from dequeuer.apis import parse_apis
from dequeuer.apis.container import Compute
from dequeuer.controller.launchers.local.compute import NO_DEVICES, LocalCompute
from dequeuer.controller.launchers.local.cpus import CpuPool, CpuShare, own_cpus
from dequeuer.controller.launchers.local.memory_limits import CgroupMemory, MemoryLimits, WatchedMemory
from dequeuer.process import enter_limits
from dequeuer.process.cgroups import Cgroups

COMMAND = ["python", "main.py"]


def compute(**given: object) -> Compute:
    return Compute.model_validate(given)


def local(cgroups: Cgroups | None = None, cpus: set[int] | None = None, *, sees_root: bool = True) -> LocalCompute:
    return LocalCompute(MemoryLimits(cgroups), CpuPool(cpus), sees_root=sees_root)


def test_who_asks_for_nothing_is_not_limited() -> None:
    limited = local(cpus={0, 1}).limit("worker-0-web", compute())
    assert (limited.prefix, limited.guards) == ((), ())


def test_cpus_are_those_of_the_container() -> None:
    made = local(cpus={0, 1, 2, 3})
    limited = made.limit("worker-0-web", compute(cpu="1200m"))
    assert list(limited.prefix) == [sys.executable, "-I", "-S", enter_limits.__file__, "", "0,1", "--"]
    (share,) = limited.guards
    assert isinstance(share, CpuShare)


@pytest.mark.parametrize(("asked", "cpus"), [("20m", 1), (1, 1), (1.5, 2), (3, 3), (64, 4)])
def test_a_part_of_a_cpu_is_a_whole_one(asked: float, cpus: int) -> None:
    (share,) = local(cpus={2, 4, 6, 8}).limit("a", compute(cpu=asked)).guards
    assert isinstance(share, CpuShare)
    assert share.cpus == (2, 4, 6, 8)[:cpus]


async def test_cpus_are_shared_only_when_all_are_taken() -> None:
    pool = CpuPool({0, 1, 2})
    first, second = pool.take(1000), pool.take(2000)
    assert (first.cpus, second.cpus) == ((0,), (1, 2))
    third = pool.take(1000)
    assert third.cpus == (0,)
    await second.close()
    assert pool.take(2000).cpus == (1, 2)


def test_the_cpus_of_this_process_are_shared_out() -> None:
    assert own_cpus() == os.sched_getaffinity(0)


def test_memory_is_watched_where_no_cgroup_can_be_made() -> None:
    limited = local().limit("worker-0-web", compute(mem="64Mi"))
    (guard,) = limited.guards
    assert isinstance(guard, WatchedMemory)
    assert limited.prefix == ()
    assert local().memory_limits == "watch"


async def test_a_cgroup_is_used_where_one_can_be_made(tmp_path: Path) -> None:
    made = local(Cgroups(tmp_path), {0})
    assert made.memory_limits == "cgroup"
    limited = made.limit("worker-0-web", compute(mem="64Mi", cpu=1))
    memory, _ = limited.guards
    assert isinstance(memory, CgroupMemory)
    assert list(limited.prefix[-3:]) == [str(memory.cgroup.path), "0", "--"]
    assert memory.cgroup.path.name.startswith("worker-0-web-")
    assert (memory.cgroup.path / "memory.max").read_text() == str(64 << 20)
    other = made.limit("worker-0-web", compute(mem="64Mi")).guards[0]
    assert isinstance(other, CgroupMemory)
    assert other.cgroup.path != memory.cgroup.path


def test_only_a_kill_by_the_kernel_is_one(tmp_path: Path) -> None:
    (memory,) = local(Cgroups(tmp_path)).limit("worker-0-web", compute(mem="64Mi")).guards
    assert isinstance(memory, CgroupMemory)
    assert memory.explain(-9) is None, "there is no memory.events"
    events = memory.cgroup.path / "memory.events"
    events.write_text("max 9\noom_kill 0\n")
    assert memory.explain(-9) is None
    events.write_text("max 9\noom_kill 2\n")
    assert memory.explain(1) is None
    verdict = memory.explain(-9)
    assert verdict is not None
    assert (verdict.phase, verdict.has_grace) == ("killed_oom", False)
    assert verdict.reason == "was killed because it needed more than its compute.mem (64 MiB)"


APIS = """
- name: sum
  kind: BatchAPI
  pod:
    containers:
      - {name: web, image: a, command: [a], compute: {cpu: 1, mem: 64Mi, shm: 16Mi, gpu: 1}}
      - {name: other, image: a, command: [a]}
- name: train
  kind: TaskAPI
  pod: {containers: [{name: train, image: a, command: [a], compute: {inf: 2}}]}
- name: served
  kind: RealtimeAPI
  pod: {containers: [{name: served, image: a, compute: {gpu: 2}}]}
"""


def test_what_is_not_used_is_named() -> None:
    apis = parse_apis(APIS.encode(), "cortex.yaml")
    found = [(one.api_name, one.container, one.fields, one.reason) for one in local(cpus={0}).not_used(apis)]
    assert found == [("sum", "web", ("gpu",), NO_DEVICES), ("train", "train", ("inf",), NO_DEVICES)]


def test_what_a_machine_cannot_do_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("dequeuer.controller.launchers.local.memory_limits.can_measure", lambda: False)
    made = local(sees_root=False)
    assert made.memory_limits == "none"
    limited = made.limit("worker-0-web", compute(mem="64Mi", cpu=1))
    assert (limited.prefix, limited.guards) == ((), ())
    apis = parse_apis(APIS.encode(), "cortex.yaml")
    fields = [one.fields for one in made.not_used(apis) if one.api_name == "sum"]
    assert fields == [("gpu",), ("mem",), ("cpu",), ("shm",)]
