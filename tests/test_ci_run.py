"""`.ci/run` with programs that only write down how they were called."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
IN_PARTS = {"mutations": 3, "sdk": 3, "py319": 4, "py320": 4}
"""Environments of which a change gets a part, and how many parts there are."""

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("bash", "nice", "sed", "tee"))), reason=".ci/run needs bash and the usual commands"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What `.ci/run` did: its status, its last lines, `PART` and seconds by environment of tox."""

    status: int
    summary: list[str]
    parts: dict[str, str]
    limits: dict[str, int]


def program(path: Path, text: str) -> None:
    path.write_text(f"#!/usr/bin/env bash\n{text}\n", encoding="utf-8")
    path.chmod(0o755)


def run(folder: Path, failing: tuple[str, ...] = (), **environment: str) -> Run:
    """Run it where no system package is installed, and on two other Pythons than this one."""
    programs, project, log = folder / "bin", folder / "project", folder / "log"
    for needed in (programs, project / ".ci", project / "scripts"):
        needed.mkdir(parents=True)
    tox = f"""
for word in "$@"; do name="$word"; done
echo "$name ${{PART-}}" >>{shlex.quote(str(log))}
case " {" ".join(failing)} " in *" $name "*) exit 3 ;; esac"""
    program(programs / "tox", tox)
    program(
        programs / "python3",
        f"""if [ "${{*:1:2}}" != "-m venv" ]; then exec {shlex.quote(sys.executable)} "$@"; fi
mkdir -p .venv/bin && cp {shlex.quote(str(programs / "tox"))} .venv/bin/""",
    )
    for version in ("3.19", "3.20"):
        program(programs / f"python{version}", "exit 0")
    seconds = folder / "seconds"
    program(
        programs / "timeout",
        f"""echo "$2 ${{*: -1}}" >>{shlex.quote(str(seconds))}
shift 2
exec "$@\"""",
    )
    program(programs / "sleep", f"exec {shutil.which('sleep')} 0.05")
    program(project / "scripts" / "check-image", "exit 0")
    (project / "README.md").write_text("$ python3 -m venv .venv && .venv/bin/tox -e py,integration\n", encoding="utf-8")
    (project / "Dockerfile").write_text("ARG BASE=example/python:3.19-slim\n", encoding="utf-8")
    shutil.copy(ROOT / ".ci" / "run", project / ".ci" / "run")
    inherited = {name: value for name, value in os.environ.items() if name != "PART"}
    ended = subprocess.run(
        [project / ".ci" / "run"],
        env={
            **inherited,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHON": str(programs / "python3"),
            "CI_NO_INSTALL": "1",
            "GIT_CEILING_DIRECTORIES": str(folder),
            **environment,
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert "=== summary" in ended.stdout, ended.stdout
    called = [line.partition(" ") for line in log.read_text(encoding="utf-8").splitlines()]
    limited = [line.partition(" ") for line in seconds.read_text(encoding="utf-8").splitlines()]
    return Run(
        status=ended.returncode,
        summary=ended.stdout.partition("=== summary")[2].splitlines(),
        parts={name: part for name, _, part in called},
        limits={name: int(limit) for limit, _, name in limited},
    )


def test_each_check_of_a_change_is_whole_but_those_that_are_named_with_their_part(tmp_path: Path) -> None:
    found = run(tmp_path)
    assert found.parts == dict.fromkeys(found.parts, "") | {name: f"1/{parts}" for name, parts in IN_PARTS.items()}
    assert "py,integration" in found.parts
    assert (found.status, [line for line in found.summary if line.startswith("FAILED")]) == (0, [])


@pytest.mark.parametrize(("part", "limit_s"), [("2/3", 1500), ("1/1", 3000)])
def test_a_part_that_is_asked_for_is_one_of_the_same_checks_alone(tmp_path: Path, part: str, limit_s: int) -> None:
    found = run(tmp_path, PART=part)
    assert found.parts == dict.fromkeys(found.parts, "") | dict.fromkeys(IN_PARTS, part)
    assert {found.limits[name] for name in IN_PARTS} == {limit_s}  # all of them take longer than a part


def test_a_check_that_fails_fails_the_run_on_either_side(tmp_path: Path) -> None:
    found = run(tmp_path, failing=("chart", "kubernetes"))
    failed = [line.rpartition(", ")[0] for line in found.summary if line.startswith("FAILED")]
    assert failed == ["FAILED  pods of Kubernetes (exit status 3", "FAILED  Helm chart (exit status 3"]
    assert (found.status, found.summary[-1].partition(" after")[0]) == (1, "ci: FAILED")
