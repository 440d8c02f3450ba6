"""`.ci/run` with programs that only write down how they were called."""

from __future__ import annotations

import configparser
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
IN_PARTS = {"mutations": 6, "sdk": 8, "simulation": 3, "py319": 8, "py320": 8}
"""Environments of which a change gets a part, and how many parts there are."""
SIMULATED = {"simulation": 3}
"""The same of the worlds of the simulation."""
COMPILED = "proxy,bench"
"""Environments that are installed in one go, before they run."""
BESIDE_README = [COMPILED, "lint", "chart", "typing"]
"""What has no limits of time, and mostly waits for downloads and the disk."""
BESIDE_OTHERS = ["dev", "simulation", "mutations", "py319", "py320"]
"""What mostly waits for one process, or computes."""
SEEDS = ("SIMULATION_SEED", "FAULTS_SEED", "CONTROLLER_SEED", "PROXY_FUZZ_SEED", "CHAOS_SEED")
COLUMNS = ("name", "part", "worlds", "seeds", "installer", "python", "flag", "folder", "niceness")
"""What tox is called with; a line for each call."""
OTHER_PYTHONS = {"py319": "python3.19", "py320": "python3.20"}

pytestmark = pytest.mark.skipif(
    not all(map(shutil.which, ("bash", "nice", "sed", "tee"))), reason=".ci/run needs bash and the usual commands"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """What `.ci/run` did.

    Attributes:
        parts: `PART` by environment of tox.
        worlds: `SIMULATION_PART` by environment.
        seeds: the values of `SEEDS` that are there, by environment.
        installers: which installer, with which index, by environment.
        pythons: the Python that is found on the PATH by the name of the environment, where it is that of one.
        flags: those of tox about installing, by environment.
        folders: where tox has its environments, by environment; "" is where it has them by itself.
        limits: seconds by environment.
        order: environments as they were begun; "" is the end of the command of README.md.
        niceness: by environment; more of it is a lower priority.
        last_lines: what is shown again of the checks that failed, by their names.
    """

    status: int
    summary: list[str]
    parts: dict[str, str]
    worlds: dict[str, str]
    seeds: dict[str, str]
    installers: dict[str, str]
    pythons: dict[str, str]
    flags: dict[str, str]
    folders: dict[str, str]
    limits: dict[str, int]
    order: list[str]
    niceness: dict[str, int]
    last_lines: dict[str, list[str]]


def program(path: Path, text: str) -> None:
    path.write_text(f"#!/usr/bin/env bash\n{text}\n", encoding="utf-8")
    path.chmod(0o755)


def run(
    folder: Path,
    environment: Mapping[str, str] | None = None,
    *,
    tree: str = "",
    says: str = "",
    failing: tuple[str, ...] = (),
    stopped: tuple[str, ...] = (),
    has_uv: bool = True,
    has_containers: bool = False,
    readme_awaits: str = "",
    tee_starts_after_s: float = 0,
    left_running: str = "",
    readme: str = "python3 -m venv .venv && .venv/bin/tox -e py,integration",
) -> Run:
    """Run it where no system package is installed, and on two other Pythons than this one.

    `INDEX` is the index of pip's settings; with `has_uv` uv reaches one. `tree`: the content of the commit, as git tells
    it; "": there is no commit. `says`: what each environment prints. `failing` and `stopped`: environments that fail,
    and those that take too long. `readme_awaits`: the command of README.md ends once this environment was begun.
    `tee_starts_after_s`: how long each check has begun before its output is read. `left_running`: an environment that
    leaves a process behind, which has its output open. `readme`: the command of README.md.
    """
    programs, project, log = folder / "bin", folder / "project", folder / "log"
    for needed in (programs / "pip", programs / "uv", project / ".ci", project / "scripts"):
        needed.mkdir(parents=True)
    for venv in ("pip", "uv"):
        program(
            programs / venv / "tox",
            f"""flag= folder=
for word in "$@"; do
    if [ "$name" = --workdir ]; then folder="$word"; fi
    case "$word" in --notest | --skip-pkg-install) flag="$word" ;; esac
    name="$word"
done
case "$name" in py3*) python="$(command -v "python3.${{name#py3}}")" ;; *) python= ;; esac
printf '%s\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\t%s\\n' "$name" "${{PART-}}" "${{SIMULATION_PART-}}" \\
    "{" ".join(f"${{{seed}-}}" for seed in SEEDS)}" "{venv} ${{UV_DEFAULT_INDEX-}}" \\
    "$(readlink -f "$python")" "$flag" "$folder" "$(nice)" >>{shlex.quote(str(log))}
echo {shlex.quote(says)}
if [ "$name" = py,integration ]; then
    for _ in {{1..600}}; do grep -q "^{readme_awaits}" {shlex.quote(str(log))} && break; sleep 1; done
    sleep 1 && sleep 1 && sleep 1 && sleep 1  # what must not begin beside it would have begun
    echo >>{shlex.quote(str(log))}
fi
if [ "$name" = "{left_running}" ]; then {shutil.which("sleep")} 600 & fi
case " {" ".join(failing)} " in *" $name "*) exit 3 ;; esac""",
        )
    program(programs / "git", f'[ "$*" = "rev-parse --short=8 HEAD^{{tree}}" ] && echo {tree}' if tree else "exit 128")
    if tee_starts_after_s:
        program(programs / "tee", f'{shutil.which("sleep")} {tee_starts_after_s}\nexec {shutil.which("tee")} "$@"')
    for command in ("buildah", "podman") if has_containers else ():
        program(programs / command, "exit 0")
    program(programs / "uv" / "pip", '[ "$1" = install ] || [ -n "${INDEX-}" ] && echo "${INDEX-}"')
    program(programs / "uv" / "uv", f"exit {0 if has_uv else 2}")
    program(
        programs / "python3",
        f"""if [ "${{*:1:2}}" != "-m venv" ]; then exec {shlex.quote(sys.executable)} "$@"; fi
mkdir -p "$3/bin" && case "$3" in .venv) sleep 1 && sleep 1 && sleep 1 && from=pip ;; *) from=uv ;; esac
cp {shlex.quote(str(programs))}/$from/* "$3/bin/\"""",
    )
    newest = folder / "pyenv" / "versions" / "3.20.1" / "bin"
    newest.mkdir(parents=True)
    program(newest / "python3.20", "exit 0")
    program(newest / "tox", "echo 'this is not the tox of this project' && exit 9")
    program(programs / "python3.19", "exit 0")
    seconds = folder / "seconds"
    program(
        programs / "timeout",
        f"""echo "$2 ${{*: -1}}" >>{shlex.quote(str(seconds))}
case " {" ".join(stopped)} " in *" ${{*: -1}} "*) exit 124 ;; esac
shift 2
exec "$@\"""",
    )
    program(programs / "sleep", f"exec {shutil.which('sleep')} 0.05")
    program(project / "scripts" / "check-image", "echo 'image: SKIPPED - the base cannot be pulled'")
    (project / "README.md").write_text(f"$ {readme}\n", encoding="utf-8")
    (project / "Dockerfile").write_text("ARG BASE=example/python:3.19-slim\n", encoding="utf-8")
    shutil.copy(ROOT / ".ci" / "run", project / ".ci" / "run")
    own = {"INDEX", "PART", "SIMULATION_PART", "PIP_INDEX_URL", "UV_DEFAULT_INDEX", *SEEDS}
    inherited = {name: value for name, value in os.environ.items() if name not in own}
    process = subprocess.Popen(
        [project / ".ci" / "run"],
        env={
            **inherited,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHON": str(programs / "python3"),
            "PYENV_ROOT": str(folder / "pyenv"),
            "CI_NO_INSTALL": "1",
            "TMPDIR": str(folder),
            **(environment or {}),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    # Whether it was killed is asked by what it has started: until somebody waits for it, it is still there.
    threading.Thread(target=process.wait, daemon=True).start()
    try:
        stdout, _ = process.communicate(timeout=120)
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    assert process.returncode < 0 or "=== summary" in stdout, stdout
    lines = log.read_text(encoding="utf-8").splitlines()
    called = [dict(zip(COLUMNS, line.split("\t"), strict=True)) for line in lines if line]
    assert len({call["name"] for call in called}) == len(called), "a check was run twice"
    limited = [line.partition(" ") for line in seconds.read_text(encoding="utf-8").splitlines()]

    def column(key: str) -> dict[str, str]:
        return {call["name"]: call[key] for call in called}

    return Run(
        status=process.returncode,
        summary=stdout.partition("=== summary")[2].splitlines(),
        parts=column("part"),
        worlds=column("worlds"),
        seeds={name: given.strip() for name, given in column("seeds").items()},
        installers=column("installer"),
        pythons={name: Path(python).name for name, python in column("python").items() if python},
        flags=column("flag"),
        folders=column("folder"),
        limits={name: int(limit) for limit, _, name in limited},
        niceness={name: int(niceness) for name, niceness in column("niceness").items()},
        order=[line.partition("\t")[0] for line in lines],
        last_lines={
            name: lines.splitlines()
            for name, lines in re.findall(
                r"^=== failed: (.*); its last lines\n((?:(?!=== ).*\n)*)", stdout, re.MULTILINE
            )
        },
    )


def environments() -> set[str]:
    """Return what tox.ini has for everybody, as this script calls it here."""
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    listed = set(tox["tox"]["env_list"].split(", "))
    unit_tests = {name for name in listed if re.fullmatch(r"py\d+", name)}
    return listed - unit_tests - {"integration"} | {"py,integration", COMPILED, *OTHER_PYTHONS}


def test_each_check_of_a_change_is_whole_but_those_that_are_named_with_their_part(tmp_path: Path) -> None:
    found = run(tmp_path)
    everywhere = dict.fromkeys(found.parts, "")
    assert found.parts == everywhere | {name: f"1/{parts}" for name, parts in IN_PARTS.items()}
    assert found.worlds == everywhere | {name: f"1/{parts}" for name, parts in SIMULATED.items()}
    assert set(found.parts) == environments()
    assert found.pythons == OTHER_PYTHONS
    assert (found.status, [line for line in found.summary if line.startswith("FAILED")]) == (0, [])
    assert found.seeds == everywhere


def test_the_content_of_a_commit_chooses_its_parts_and_its_seeds(tmp_path: Path) -> None:
    found = run(tmp_path, {"CHAOS_SEED": "5"}, tree="00000007")
    everywhere = dict.fromkeys(found.parts, "")
    of_seed = {3: "2/3", 6: "2/6", 8: "8/8"}
    assert found.parts == everywhere | {name: of_seed[parts] for name, parts in IN_PARTS.items()}
    assert found.worlds == everywhere | {name: of_seed[parts] for name, parts in SIMULATED.items()}
    assert found.seeds == dict.fromkeys(found.parts, "7 7 7 7 5")


@pytest.mark.parametrize(("part", "limit_s"), [("2/3", 1500), ("1/1", 3000)])
def test_a_part_that_is_asked_for_is_one_of_the_same_checks_alone(tmp_path: Path, part: str, limit_s: int) -> None:
    found = run(tmp_path, {"PART": part})
    assert found.parts == dict.fromkeys(found.parts, "") | dict.fromkeys(IN_PARTS, part)
    assert found.worlds == dict.fromkeys(found.parts, "") | dict.fromkeys(SIMULATED, part)
    assert {found.limits[name] for name in IN_PARTS} == {limit_s}  # all of them take longer than a part


def test_a_check_that_fails_fails_the_run_on_either_side(tmp_path: Path) -> None:
    lines = [f"line {number}" for number in range(100)]
    says = "\n".join([*lines[:99], "WARNING: a warning of tox", lines[99]])
    found = run(tmp_path, says=says, failing=("chart", "gateway"), stopped=("proxy", "typing"))
    failed = [re.split(r", | after ", line)[0] for line in found.summary if line.startswith("FAILED")]
    assert failed == [
        "FAILED  gateway (exit status 3",
        "FAILED  realtime proxy (stopped",
        "FAILED  Helm chart (exit status 3",
        "FAILED  typing (stopped",
    ]
    assert (found.status, found.summary[-1].partition(" after")[0]) == (1, "ci: FAILED")
    of_failed = dict.fromkeys(("gateway", "Helm chart"), lines[-60:])
    assert found.last_lines == of_failed | {"realtime proxy": [], "typing": []}


def test_an_image_is_checked_where_it_can_be_built_and_what_is_skipped_is_told_once(tmp_path: Path) -> None:
    reason = "[1] tests/x/test_y.py:7: there is no /proc"
    found = run(tmp_path, says=f"SKIPPED {reason}", has_containers=True)
    assert [line.partition(" (")[0] for line in found.summary if "image" in line] == [
        "ok      image",
        "skipped image: the base cannot be pulled",
    ]
    assert [line for line in found.summary if "tests: " in line] == [f"skipped tests: {reason}"]
    assert found.status == 0


def test_what_a_check_prints_is_read_to_its_end_before_it_is_told(tmp_path: Path) -> None:
    says = "SKIPPED [1] tests/x/test_y.py:7: there is no /proc"
    found = run(tmp_path, says=says, failing=("bench", "py,integration"), tee_starts_after_s=1)
    assert set(found.last_lines) == {"README: python3 -m venv .venv && .venv/bin/tox -e py,integration", "benchmark"}
    assert list(found.last_lines.values()) == [[says], [says]]
    assert [line for line in found.summary if line.startswith(("ok", "FAILED", "skipped tests: "))][-1] == (
        "skipped tests: [1] tests/x/test_y.py:7: there is no /proc"
    )
    assert found.status == 1


@pytest.mark.parametrize("terminates", [signal.SIG_DFL, signal.SIG_IGN], ids=["default", "ignored"])
def test_a_process_that_a_check_leaves_running_holds_nothing_up(tmp_path: Path, terminates: signal.Handlers) -> None:
    signal.signal(signal.SIGTERM, terminates)  # as all that it starts has it
    found = run(tmp_path, says="it has ended", failing=("bench",), left_running="bench")
    assert found.last_lines == {"benchmark": ["it has ended"]}
    assert found.status == 1


def test_beside_the_command_of_the_readme_runs_what_has_no_limits_of_time_alone(tmp_path: Path) -> None:
    found = run(tmp_path, readme_awaits="typing")
    assert found.order[: found.order.index("")] == sorted([*BESIDE_README, "py,integration"], key=found.order.index)
    assert [name for name in found.order if name in BESIDE_README] == BESIDE_README
    nicer = {
        name: min(os.nice(0) + by, 19) for by, names in ((19, BESIDE_README), (5, BESIDE_OTHERS)) for name in names
    }
    assert found.niceness == dict.fromkeys(found.parts, os.nice(0)) | nicer
    assert found.status == 0


@pytest.mark.parametrize("has_uv", [True, False])
def test_all_others_are_checked_when_the_command_of_the_readme_fails(tmp_path: Path, has_uv: bool) -> None:
    found = run(tmp_path, has_uv=has_uv, failing=("py,integration",))
    assert set(found.parts) == environments()
    assert [line.partition(" (")[0] for line in found.summary if line.startswith("FAILED")] == [
        "FAILED  README: python3 -m venv .venv && .venv/bin/tox -e py,integration"
    ]
    assert found.status == 1


@pytest.mark.parametrize("has_uv", [True, False])
def test_the_modules_of_the_proxy_are_compiled_once_before_it_is_tested_and_measured(
    tmp_path: Path, has_uv: bool
) -> None:
    found = run(tmp_path, has_uv=has_uv)
    compiled = found.order.index(COMPILED)
    assert compiled < found.order.index("proxy") < found.order.index("bench")
    assert found.flags == dict.fromkeys(found.parts, "") | {
        COMPILED: "--notest",
        "proxy": "--skip-pkg-install",
        "bench": "--skip-pkg-install",
    }
    assert found.folders[COMPILED] == found.folders["proxy"] == found.folders["bench"] != ""
    failing = run(tmp_path / "failing", has_uv=has_uv, failing=(COMPILED,))
    assert [line.partition(" (")[0] for line in failing.summary if line.startswith("FAILED")] == [
        "FAILED  proxy and benchmark, installed"
    ]


def test_no_check_is_begun_after_it_was_killed(tmp_path: Path) -> None:
    kill = "python3 -m venv .venv && kill -KILL $PPID && .venv/bin/tox -e py,integration"
    found = run(tmp_path, readme=kill)  # it waits for every process that could still print
    assert found.status == -signal.SIGKILL
    assert set(found.order) <= {*BESIDE_README, "py,integration", ""}


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({}, ""),
        ({"INDEX": "https://index.test/simple"}, "https://index.test/simple"),
        (
            {"INDEX": "https://index.test/simple", "PIP_INDEX_URL": "https://other.test/simple"},
            "https://other.test/simple",
        ),
        ({"INDEX": "https://index.test/simple", "UV_DEFAULT_INDEX": "https://uv.test"}, "https://uv.test"),
    ],
)
def test_uv_installs_all_environments_but_those_of_the_readme_from_the_index_of_pip(
    tmp_path: Path, environment: dict[str, str], told: str
) -> None:
    found = run(tmp_path, environment)
    first = found.installers.pop("py,integration")
    assert first.startswith("pip ")
    assert set(found.installers.values()) == {f"uv {told}"}


def test_where_uv_does_not_find_everything_pip_installs_all_environments_and_the_summary_says_so(
    tmp_path: Path,
) -> None:
    found = run(tmp_path, has_uv=False)
    assert found.order[:2] == ["py,integration", ""]  # it installs the tox of all others
    assert set(found.installers.values()) == {"pip "}
    assert [line for line in found.summary if line.startswith("note ")]
    assert found.status == 0
