from __future__ import annotations

import pytest

from dequeuer.check.options import HELP, PROGRAMS, parse
from dequeuer.core.errors import ConfigurationError


def test_own_flags_are_taken_out_and_all_others_are_those_of_the_program() -> None:
    options = parse(["gateway", "--json", "--port", "80", "--pod-grace", "60", "--write", "-bucket=b"])
    assert (options.program, options.arguments) == ("gateway", ["--port", "80", "-bucket=b"])
    assert (options.is_json, options.writes, options.pod_grace_s) == (True, True, 60)


def test_without_a_name_no_program_is_named() -> None:
    options = parse(["--workers", "4"])
    assert (options.program, options.arguments) == (None, ["--workers", "4"])
    assert (options.is_json, options.writes, options.pod_grace_s) == (False, False, None)


def test_go_style_flags_work() -> None:
    assert parse(["-json", "-pod-grace=5"]).pod_grace_s == 5


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_is_asked_for(flag: str) -> None:
    assert parse(["enqueue", flag]).wants_help


def test_the_name_of_the_enqueuer_is_that_of_its_command() -> None:
    assert parse(["enqueue"]).program == "enqueuer"


@pytest.mark.parametrize(
    ("argv", "fault"),
    [
        (["worker"], '"worker": cannot be checked'),
        (["--json=yes"], "--json: takes no value"),
        (["--pod-grace", "1m"], '--pod-grace: "1m" is not allowed'),
        (["--pod-grace"], '--pod-grace: "" is not allowed'),
        (["--pod-grace", "9999999"], "whole seconds from 0 to 1000000"),
    ],
)
def test_a_faulty_command_line_is_refused(argv: list[str], fault: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        parse(argv)
    assert fault in str(raised.value)


def test_all_faults_are_named_at_once() -> None:
    with pytest.raises(ConfigurationError) as raised:
        parse(["--json=1", "--write=1", "--pod-grace", "x"])
    assert len(raised.value.faults) == 3


def test_the_help_names_every_program() -> None:
    assert all(f"{name}" in HELP for name in PROGRAMS)
    assert all(len(line) <= 120 for line in HELP.splitlines())
