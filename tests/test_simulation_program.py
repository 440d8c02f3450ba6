"""`python -m tests.simulation`: which worlds it runs, and how it ends."""

from __future__ import annotations

from collections import defaultdict

import pytest

from tests.parts import worlds_of
from tests.simulation import __main__ as program
from tests.simulation.kinds import MESSAGES_PER_WORLD, Lives

JOBS = "--batch-jobs"
COUNTS = {"--lives": 10, "--queue-lives": 1, JOBS: 7}
"""Worlds by option."""
LINE = [f"--lives={10 * MESSAGES_PER_WORLD}", f"--queue-lives={MESSAGES_PER_WORLD}", f"{JOBS}=7"]
SEED = 1000


class Worlds:
    """Runs no world.

    Attributes:
        seeds: of the worlds that were to be run, by option.
        broken: the options whose worlds break a promise.
    """

    def __init__(self) -> None:
        self.seeds: dict[str, list[int]] = defaultdict(list)
        self.broken: set[str] = set()

    def report(self, lives: Lives, first: int, worlds: int, _processes: int) -> int:
        return self._run(lives.option, first, worlds)

    def report_jobs(self, first: int, worlds: int, _processes: int) -> int:
        return self._run(JOBS, first, worlds)

    def _run(self, option: str, first: int, worlds: int) -> int:
        assert worlds, "a report of nothing"
        self.seeds[option] += range(first, first + worlds)
        return 1 if option in self.broken else 0


@pytest.fixture
def worlds(monkeypatch: pytest.MonkeyPatch) -> Worlds:
    found = Worlds()
    monkeypatch.setattr(program, "report", found.report)
    monkeypatch.setattr(program, "report_jobs", found.report_jobs)
    monkeypatch.setenv("SIMULATION_SEED", str(SEED))
    monkeypatch.delenv("SIMULATION_PART", raising=False)
    return found


def run(monkeypatch: pytest.MonkeyPatch, *line: str, part: str = "") -> int:
    """Return the status. `part`: `SIMULATION_PART`."""
    monkeypatch.setattr("sys.argv", ["tests.simulation", *line])
    if part:
        monkeypatch.setenv("SIMULATION_PART", part)
    return program.main()


def seeds_from(first: int) -> dict[str, list[int]]:
    return {option: list(range(first, first + count)) for option, count in COUNTS.items()}


@pytest.mark.parametrize("parts", [("",), ("1/3", "2/3", "3/3")])
def test_parts_have_each_world_once(worlds: Worlds, monkeypatch: pytest.MonkeyPatch, parts: tuple[str, ...]) -> None:
    for part in parts:
        assert run(monkeypatch, *LINE, part=part) == 0
    assert worlds.seeds == seeds_from(SEED)


def test_a_seed_names_its_worlds_whatever_the_part_is(worlds: Worlds, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run(monkeypatch, *LINE, "--seed", "5", part="2/3") == 0
    assert worlds.seeds == seeds_from(5)


@pytest.mark.parametrize("option", COUNTS)
def test_one_broken_promise_is_a_failure(worlds: Worlds, monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    worlds.broken.add(option)
    assert run(monkeypatch, *LINE) == 1
    assert worlds.seeds == seeds_from(SEED)


EMPTY = next(part for part in ("1/2", "2/2") if not worlds_of(part, 1))


@pytest.mark.parametrize(
    ("lives", "part", "told"),
    [
        (0, "", "there is no world to run"),
        (MESSAGES_PER_WORLD, EMPTY, "there is no world to run"),
        (MESSAGES_PER_WORLD, "3/2", 'SIMULATION_PART is "3/2"'),
    ],
)
def test_without_a_world_it_fails_and_says_so(
    worlds: Worlds,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    lives: int,
    part: str,
    told: str,
) -> None:
    with pytest.raises(SystemExit) as ended:
        run(monkeypatch, f"--lives={lives}", part=part)
    assert (ended.value.code, worlds.seeds) == (2, {})
    assert told in capsys.readouterr().err
