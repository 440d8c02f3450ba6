from __future__ import annotations

from pathlib import Path

import pytest

from dequeuer.process.cgroup_limits import ProcessLimits, read_limits

MOUNT = "30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n"


def tree(root: Path, own: str, files: dict[str, str]) -> Path:
    """Make a root with cgroups of version 2. `own`: of this process."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(f"0::{own}\n")
    (root / "proc/self/mountinfo").write_text(MOUNT)
    for name, text in files.items():
        file = root / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return root


def test_of_a_container_with_a_cgroup_namespace_the_limits_are_at_its_root(tmp_path: Path) -> None:
    files = {"cgroup.procs": "1\n", "memory.max": "134217728\n", "cpu.max": "50000 100000\n"}
    assert read_limits(tree(tmp_path, "/", files)) == ProcessLimits(memory_bytes=134_217_728, cpus=0.5)


def test_the_lowest_limit_of_all_cgroups_above_holds(tmp_path: Path) -> None:
    files = {
        "pod/cgroup.procs": "",
        "pod/memory.max": "1000\n",
        "pod/cpu.max": "max 100000\n",
        "pod/box/cgroup.procs": "1\n",
        "pod/box/memory.max": "max\n",
        "pod/box/cpu.max": "200000 100000\n",
    }
    assert read_limits(tree(tmp_path, "/pod/box", files)) == ProcessLimits(memory_bytes=1000, cpus=2.0)


def test_no_limit_is_none(tmp_path: Path) -> None:
    files = {"cgroup.procs": "1\n", "memory.max": "max\n", "cpu.max": "max 100000\n"}
    assert read_limits(tree(tmp_path, "/", files)) == ProcessLimits(memory_bytes=None, cpus=None)


@pytest.mark.parametrize(
    ("memory", "quota", "expected"),
    [
        ("268435456", "25000", ProcessLimits(memory_bytes=268_435_456, cpus=0.25)),
        ("9223372036854771712", "-1", ProcessLimits(memory_bytes=None, cpus=None)),
    ],
)
def test_cgroups_of_version_1_are_read_too(tmp_path: Path, memory: str, quota: str, expected: ProcessLimits) -> None:
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text("4:memory:/\n")
    (tmp_path / "proc/self/mountinfo").write_text("")
    for name, text in {
        "memory/memory.limit_in_bytes": memory,
        "cpu/cpu.cfs_quota_us": quota,
        "cpu/cpu.cfs_period_us": "100000",
    }.items():
        file = tmp_path / "sys/fs/cgroup" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{text}\n")
    assert read_limits(tmp_path) == expected


def test_a_machine_without_cgroups_says_nothing(tmp_path: Path) -> None:
    assert read_limits(tmp_path) is None
