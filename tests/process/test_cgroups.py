"""Cgroups, on a folder that looks like the file system of a machine. The kernel's part is not in it."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import pytest

from dequeuer.process.cgroups import OWN_NAME, Cgroup, Cgroups

MOUNT = "35 24 0:30 {mounted} /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"


class Machine:
    """A machine on which this process is in a cgroup of a service."""

    def __init__(
        self, root: Path, *, own: str = "0::/app.service", mounted: str = "/", controllers: str = "cpu memory pids"
    ) -> None:
        self.root = root
        self.parent = root / "sys/fs/cgroup/app.service"
        self.parent.mkdir(parents=True)
        (root / "proc/self").mkdir(parents=True)
        (root / "proc/self/cgroup").write_text(f"12:cpu:/x\n{own}\n")
        (root / "proc/self/mountinfo").write_text(
            f"20 1 8:1 / / rw - ext4 /dev/sda rw\n{MOUNT.format(mounted=mounted)}"
        )
        (self.parent / "cgroup.controllers").write_text(controllers)
        (self.parent / "cgroup.procs").write_text(f"{os.getpid()}\n")

    def find(self) -> Cgroups | None:
        return Cgroups.find(self.root)


def test_a_process_that_is_alone_moves_and_makes_cgroups(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    found = machine.find()
    assert found is not None
    assert (machine.parent / OWN_NAME / "cgroup.procs").read_text() == str(os.getpid())
    assert (machine.parent / "cgroup.subtree_control").read_text() == "+memory"
    made = found.create("worker-0-web", 1 << 20)
    limits = {path.name: path.read_text() for path in made.path.iterdir()}
    assert limits == {"memory.max": "1048576", "memory.oom.group": "1", "memory.swap.max": "0"}
    with pytest.raises(FileExistsError):
        found.create("worker-0-web", 1 << 20)


@pytest.mark.parametrize(
    "fields",
    [
        {"controllers": "cpu pids"},
        {"own": "1:name=systemd:/"},
        {"mounted": "/../.."},
        {"own": "0::/elsewhere"},
    ],
    ids=["memory is not delegated", "version 1 alone", "another part of the tree", "no such cgroup"],
)
def test_where_there_is_none_to_be_made(tmp_path: Path, fields: dict[str, str]) -> None:
    machine = Machine(tmp_path, **fields)
    assert machine.find() is None
    assert not (machine.parent / OWN_NAME).exists()


def test_other_processes_are_not_moved(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (machine.parent / "cgroup.procs").write_text(f"1\n{os.getpid()}\n")
    assert machine.find() is None
    assert not (machine.parent / OWN_NAME).exists()


def test_a_refusal_is_undone(tmp_path: Path) -> None:
    machine = Machine(tmp_path)
    (machine.parent / "cgroup.subtree_control").mkdir()  # writing fails, for root, too
    (machine.parent / "cgroup.procs").write_text(f"{os.getpid()}\n")
    assert machine.find() is None
    assert (machine.parent / "cgroup.procs").read_text() == str(os.getpid())


def test_no_limit_no_cgroup(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="gone"):
        Cgroups(tmp_path / "gone").create("worker-0-web", 1)


def test_the_kills_of_the_kernel_are_read(tmp_path: Path) -> None:
    (tmp_path / "memory.events").write_text("low 0\nhigh 0\nmax 31\noom 2\noom_kill 1\noom_group_kill 1\n")
    assert Cgroup(tmp_path).oom_kills() == 1
    with pytest.raises(OSError, match=r"memory\.events"):
        Cgroup(tmp_path / "gone").oom_kills()


@pytest.mark.looptime
async def test_a_cgroup_is_removed_when_its_last_process_has_ended(tmp_path: Path) -> None:
    cgroup = Cgroup(tmp_path / "one")
    process = cgroup.path / "process"
    process.mkdir(parents=True)
    asyncio.get_running_loop().call_later(0.05, process.rmdir)
    await cgroup.remove()
    assert not cgroup.path.exists()
    await cgroup.remove()


@pytest.mark.looptime
async def test_a_cgroup_that_stays_busy_is_left(tmp_path: Path) -> None:
    (tmp_path / "cgroup.kill").touch()
    await Cgroup(tmp_path).remove()
    assert (tmp_path / "cgroup.kill").read_text() == "1"
