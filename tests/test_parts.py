"""Parts of the tests have each test once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.parts import part_of, worlds_of

ROOT = Path(__file__).resolve().parents[1]

NAMES = [f"tests/a/test_b.py::test_{number}[{number % 7}]" for number in range(3000)]


@pytest.mark.parametrize("parts", [1, 2, 3, 7])
def test_each_test_is_in_one_part(parts: int) -> None:
    selected = [[name for name in NAMES if part_of(f"{part}/{parts}")(name)] for part in range(1, parts + 1)]

    assert sorted(name for names in selected for name in names) == sorted(NAMES)
    assert all(len(names) > len(NAMES) / parts * 0.8 for names in selected)


def test_without_a_part_each_test_is_selected() -> None:
    assert all(map(part_of(""), NAMES))


@pytest.mark.parametrize("text", ["0/3", "4/3", "3", "1/0", "a/b", "1/3 ", "-1/3", "1/1000"])
def test_what_is_no_part_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"^PART is .*; it is <part>/<parts>, from 1/1 to 999/999"):
        part_of(text)
    with pytest.raises(ValueError, match=r"^SIMULATION_PART is .*; it is <part>/<parts>, from 1/1 to 999/999"):
        worlds_of(text, 7)


@pytest.mark.parametrize("count", [0, 1, 2, 7, 250])
def test_each_world_is_in_one_part(count: int) -> None:
    parts = [worlds_of(f"{part}/3", count) for part in (1, 2, 3)]

    assert [world for part in parts for world in part] == list(range(count)) == list(worlds_of("", count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def collect(part: str) -> tuple[int, set[str], str]:
    """Return the status of pytest, which tests of this file it would run, and what it says."""
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider", "tests/test_parts.py"],
        cwd=ROOT,
        env={**{name: value for name, value in os.environ.items() if name != "PYTEST_ADDOPTS"}, "PART": part},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    lines = ended.stdout.splitlines()
    return ended.returncode, {line for line in lines if line.startswith("tests/")}, ended.stdout + ended.stderr


def test_pytest_runs_the_tests_of_a_part_alone() -> None:
    (status, first, text), (_, second, _) = map(collect, ("1/2", "2/2"))
    assert status == 0, text
    assert (bool(first), bool(second), first & second) == (True, True, set())
    names = {test.partition("::")[2].partition("[")[0] for test in first | second}
    assert names == {name for name in globals() if name.startswith("test_")}, "together they are all"


def test_pytest_runs_nothing_for_what_is_no_part() -> None:
    status, found, text = collect("x")
    assert (status, found) == (pytest.ExitCode.USAGE_ERROR, set())
    assert 'PART is "x"; it is <part>/<parts>' in text
