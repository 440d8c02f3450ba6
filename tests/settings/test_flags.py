from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dequeuer.settings.flags import parse_flags

KNOWN = ("workers", "queue", "api-name")
VALUES = st.text(min_size=1).filter(lambda text: text.strip() and not text.startswith("-"))


@given(st.sampled_from(KNOWN), VALUES, st.sampled_from(["-", "--"]), st.booleans())
def test_all_forms_mean_the_same(name: str, value: str, dashes: str, joined: bool) -> None:
    argv = [f"{dashes}{name}={value}"] if joined else [f"{dashes}{name}", value]
    flags = parse_flags(argv, KNOWN)
    assert flags.values == {name: value}
    assert not flags.faults


@pytest.mark.parametrize("argv", [["--workers", "-1"], ["--workers=-1"], ["-workers", "-1"]])
def test_a_value_may_begin_with_a_dash(argv: list[str]) -> None:
    assert parse_flags(argv, KNOWN).values == {"workers": "-1"}


def test_a_value_may_hold_an_equals_sign() -> None:
    assert parse_flags(["--queue=a=b"], KNOWN).values == {"queue": "a=b"}


@pytest.mark.parametrize(
    "argv",
    [["--queue"], ["--queue="], ["--queue", ""], ["--queue= "], ["--queue", "--workers", "3"], ["--queue", "--"]],
)
def test_a_flag_without_a_value_is_a_fault(argv: list[str]) -> None:
    flags = parse_flags(argv, KNOWN)
    assert len(flags.faults) == 1
    assert flags.faults[0].startswith("--queue: has no value")
    assert flags.values == ({"workers": "3"} if "--workers" in argv else {})


def test_an_unknown_flag_is_a_fault_that_names_the_nearest_and_hides_the_value() -> None:
    flags = parse_flags(["--wrokers", "s3cret", "-quue=s3cret"], KNOWN)
    assert len(flags.faults) == 2
    assert "--wrokers" in flags.faults[0]
    assert "did you mean --workers?" in flags.faults[0]
    assert "did you mean --queue?" in flags.faults[1]
    assert "s3cret" not in "".join(flags.faults)


def test_a_flag_of_the_other_command_is_called_that() -> None:
    (fault,) = parse_flags(["--port", "80"], KNOWN, {"port"}).faults
    assert "not a flag of this command" in fault


def test_two_values_for_one_flag_are_a_fault() -> None:
    (fault,) = parse_flags(["--workers=1", "-workers", "2"], KNOWN).faults
    assert '"1" and "2"' in fault
    assert not parse_flags(["--workers=1", "-workers", "1"], KNOWN).faults


@pytest.mark.parametrize(("argv", "count"), [(["x"], 1), (["--", "--workers", "3"], 2), (["-"], 1), (["--"], 0)])
def test_what_is_no_flag_is_a_fault(argv: list[str], count: int) -> None:
    flags = parse_flags(argv, KNOWN)
    assert len(flags.faults) == count
    assert not flags.values


@pytest.mark.parametrize("argument", ["---workers=1", "-=1", "--=1", "---"])
def test_bad_syntax_is_a_fault(argument: str) -> None:
    flags = parse_flags([argument], KNOWN)
    assert len(flags.faults) == 1
    assert not flags.values


@pytest.mark.parametrize("argument", ["-h", "--h", "-help", "--help"])
def test_help_is_asked_for(argument: str) -> None:
    assert parse_flags(["--workers", argument, "x"], KNOWN).info == "help"


def test_the_first_of_help_and_version_counts() -> None:
    assert parse_flags(["-version", "--help"], KNOWN).info == "version"
    assert parse_flags(["--help=1"], KNOWN).info is None
    assert parse_flags(["--help=1"], KNOWN).faults
    assert parse_flags(["--", "--help"], KNOWN).info is None


@given(st.lists(st.text() | st.sampled_from(["--workers", "--queue=1", "-h", "--", "-", "--x"])))
def test_any_line_can_be_read_and_every_fault_is_one_line(argv: list[str]) -> None:
    flags = parse_flags(argv, KNOWN)
    assert flags.values.keys() <= set(KNOWN)
    assert all(fault.isprintable() for fault in flags.faults)
    # Nothing is ignored: each argument is a name, a value, a question, or a part of a fault.
    assert not [text for text in argv if text != "--"] or flags.values or flags.info or flags.faults


def test_ten_thousand_arguments_are_parsed() -> None:
    assert len(parse_flags(["x" * 100_000] + ["x"] * 10_000, KNOWN).faults) == 10_001
