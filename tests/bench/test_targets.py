import pytest

from bench.memory import Soak
from bench.results import Results
from bench.targets import TARGETS, Target, verdict

CPU = Target(
    what="CPU", go="11x", nearer=5, farther=3, unit="x", digits=1, measured=lambda results: results.idle_percent
)
ONE = Target(
    what="idle", go="-", nearer=0.5, farther=0.5, unit=" %", digits=2, measured=lambda results: results.idle_percent
)


@pytest.mark.parametrize(
    ("target", "value", "expected"),
    [
        (CPU, 3.0, "reached (farther)"),
        (CPU, 3.4, "reached (nearer); farther: short by 0.4x"),
        (CPU, 5.0, "reached (nearer); farther: short by 2.0x"),
        (CPU, 7.25, "short by 2.2x"),
        (CPU, None, "not measured"),
        (ONE, 0.5, "reached"),
        (ONE, 0.75, "short by 0.25 %"),
    ],
)
def test_the_verdict(target: Target, value: float | None, expected: str) -> None:
    assert verdict(target, value) == expected


def test_nothing_is_reached_that_was_not_measured() -> None:
    assert {verdict(target, target.measured(Results())) for target in TARGETS} == {"not measured"}


def test_a_shorter_soak_shows_nothing() -> None:
    short = Results(soak=Soak(messages=49_999, samples=40, first_mib=50, last_mib=50, apart=0.0))
    assert "memory over 50,000 messages: last quarter above the first" not in {
        target.what for target in TARGETS if target.measured(short) is not None
    }


def test_farther_is_never_easier_than_nearer() -> None:
    assert all(target.farther <= target.nearer for target in TARGETS)
