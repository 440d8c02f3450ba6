"""Every file of tests is run by the checks of a change, and the slow ones once."""

from __future__ import annotations

import configparser
import re
from pathlib import Path

import pytest

from tests.integration.dev.test_chaos import END_S, MAX_SECONDS, RETRY_S, TRY_S
from tests.integration.waiting import DEADLINE_S as READY_S

ROOT = Path(__file__).resolve().parents[1]
AGAIN = {"sdk", "proxy"}
"""They run tests of other environments with other clients, and with compiled modules."""


def commands() -> dict[str, list[list[str]]]:
    """Return the words of each call of pytest, by environment; the one without a name is that of the unit tests."""
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini", encoding="utf-8")
    selected = tox["testenv:faults"]["selected"]
    found = {}
    for section in tox.sections():
        text = tox[section].get("commands", "").replace("\\\n", " ").replace("{[testenv:faults]selected}", selected)
        found[section.removeprefix("testenv:")] = [line.split() for line in text.splitlines() if "pytest" in line]
    return found


def is_in(file: str, folders: list[str]) -> bool:
    return any(file == folder or file.startswith(f"{folder}/") for folder in folders)


def runs_of(file: str) -> list[str]:
    found = []
    for name, calls in commands().items():
        for words in calls:
            left_out = [word.partition("=")[2] for word in words if word.startswith("--ignore=")]
            named = [word for word in words if word.startswith("tests/")] or ["tests"]
            if is_in(file, named) and not is_in(file, left_out):
                found.append(name)
    return found


FILES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "tests").rglob("test_*.py"))


@pytest.mark.parametrize("folder", sorted({str(Path(file).parent) for file in FILES}))
def test_each_file_of_tests_is_run_once(folder: str) -> None:
    for file in FILES:
        if str(Path(file).parent) != folder or folder == "tests/mutations":  # the texts of which are a unit test, too
            continue
        own = [name for name in runs_of(file) if name not in AGAIN]
        assert own or "proxy" in runs_of(file), f"{file}: no environment of tox.ini runs it"
        assert len(own) <= 1, f"{file}: {' and '.join(own)} run it; leave it out of one of them"


def test_every_environment_with_tests_is_part_of_the_checks_of_a_change() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    run = {name for listed in re.findall(r"-e ([a-z,]+)", script) for name in listed.split(",")}
    named = {name for name, calls in commands().items() if calls and name != "testenv"}
    assert named <= run, f"not run by .ci/run: {', '.join(sorted(named - run))}"


def test_what_runs_beside_other_checks_is_waited_for() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    started = re.findall(r'(?:^ *|; then )beside (\S+) [0-9"]', script, re.MULTILINE)
    waited_for = re.findall(r'(?:^ *|; do )check_beside "[^"]+" ("[^"]+"|[^\s;]+)', script, re.MULTILINE)
    assert "lint" in started
    assert sorted(started) == sorted(waited_for), "the status of a check would be lost"


def test_tests_that_expect_other_values_of_the_sdks_clients_are_run_with_them() -> None:
    integration = [file for file in FILES if file.startswith("tests/integration/")]
    found = [file for file in integration if "IS_SDK" in (ROOT / file).read_text(encoding="utf-8")]
    assert found
    assert [file for file in found if "sdk" not in runs_of(file)] == []


def test_a_test_of_chaos_as_long_as_it_may_be_ends_before_its_environment_does() -> None:
    (words,) = commands()["dev"]
    (limit,) = [int(word.partition("=")[2]) for word in words if word.startswith("faulthandler_timeout=")]
    assert limit > READY_S + MAX_SECONDS + END_S + 2 * (RETRY_S + TRY_S)  # a last try may begin at the end of both
