"""The script that limits itself and becomes the command, as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from dequeuer.process import enter_limits

SCRIPT = [sys.executable, "-I", "-S", str(Path(enter_limits.__file__))]
SHOWS_CPUS = [sys.executable, "-c", "import os; print(sorted(os.sched_getaffinity(0)))"]


def run(cgroup: str, cpus: str, command: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*SCRIPT, cgroup, cpus, "--", *command], capture_output=True, text=True, check=False, timeout=60
    )


def test_the_command_is_kept_to_its_cpus() -> None:
    last = max(os.sched_getaffinity(0))
    done = run("", str(last), SHOWS_CPUS)
    assert (done.returncode, done.stdout) == (0, f"[{last}]\n")


def test_the_command_is_in_its_cgroup(tmp_path: Path) -> None:
    (tmp_path / "cgroup.procs").touch()
    done = run(str(tmp_path), "", SHOWS_CPUS)
    assert done.stdout == f"{sorted(os.sched_getaffinity(0))}\n"
    assert (tmp_path / "cgroup.procs").read_text() == "0"


def test_a_command_never_runs_without_its_limit(tmp_path: Path) -> None:
    done = run(str(tmp_path / "gone"), "", ["echo", "runs"])
    assert (done.returncode, done.stdout) == (enter_limits.CANNOT_START, "")
    assert done.stderr == f"cannot start echo: {tmp_path}/gone/cgroup.procs No such file or directory\n"
    assert run("", "100000", ["echo", "runs"]).stdout == ""


def test_a_command_that_does_not_exist_is_named() -> None:
    done = run("", "", ["no-such-program"])
    assert done.returncode == enter_limits.CANNOT_START
    assert done.stderr.startswith("cannot start no-such-program: ")
