from __future__ import annotations

from dataclasses import fields

import pytest

from dequeuer.jobs_command import exit_statuses
from dequeuer.jobs_command.options import Options, parse
from tests.jobs.stage import JOB


def test_a_submission_has_its_options() -> None:
    assert parse(["submit", "sum", "job.json", "--wait", "--timeout", "60", "--json", "--gateway=http://g"]) == Options(
        command="submit",
        api="sum",
        file="job.json",
        waits=True,
        timeout_s=60,
        is_json=True,
        settings=("--gateway=http://g",),
    )
    assert parse(["submit", "sum", "-", "--dry-run", "--kind", "batch"]) == Options(
        command="submit", api="sum", file="-", is_dry_run=True, kind="batch"
    )


def test_every_command_has_its_options() -> None:
    assert parse(["list", "sum", "--limit", "3"]) == Options(command="list", api="sum", limit=3)
    assert parse(["watch", "sum", JOB, "--timeout", "9"]) == Options(command="watch", api="sum", job=JOB, timeout_s=9)
    assert parse(["results", "sum", JOB, "--output", "f", "--only", "errors"]) == Options(
        command="results", api="sum", job=JOB, output="f", only="errors"
    )
    assert parse(["logs", "sum", JOB, "--worker", "0", "-f", "--tail", "0", "--work-folder", "w"]) == Options(
        command="logs", api="sum", job=JOB, worker=0, follows=True, tail=0, settings=("--work-folder=w",)
    )
    for command in ("status", "stop", "pause", "resume"):
        assert parse([command, "sum", JOB, "--kind", "task"]).command == command


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("", "required: COMMAND"),
        ("submit sum", "required: FILE"),
        ("status sum", "required: JOB"),
        ("status ../x 1", "not the name of an API"),
        ("status sum a/b", "not the id of a job"),
        ("status sum \x1b[2J", "is not the id of a job"),
        ("list sum --limit 0", "a whole number from 1 to 10000"),
        ("list sum --limit 1x", "a whole number"),
        ("watch sum 1 --timeout -1", "a whole number"),
        ("submit sum f --timeout 1", "--timeout is for --wait"),
        ("submit sum f --wait --dry-run", "leave one of them out"),
        ("list sum --kind async", "invalid choice"),
        ("list sum --gate http://g", "unrecognized arguments"),
        ("results sum 1 --json", "unrecognized arguments"),
    ],
)
def test_a_wrong_line_is_refused(line: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(line.split(" ") if line else [])
    assert caught.value.code == exit_statuses.USAGE
    shown = capsys.readouterr().err
    assert text in shown
    assert "\x1b" not in shown


def test_the_help_has_every_exit_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse(["--help"])
    shown = capsys.readouterr().out
    for name in dir(exit_statuses):
        value = getattr(exit_statuses, name)
        if name.isupper() and isinstance(value, int):
            assert f"\n  {value} " in shown, name
    assert "\n  130  Ctrl-C (143 SIGTERM)" in shown


def test_every_field_is_described() -> None:
    assert all(f"{one.name}:" in str(Options.__doc__) for one in fields(Options))
