from __future__ import annotations

from dataclasses import fields
from typing import get_args

import pytest

from dequeuer import __main__, cli
from dequeuer.client.submission import OWN_HEADERS
from dequeuer.jobs_command import exit_statuses as of_jobs
from dequeuer.requests_command import exit_statuses
from dequeuer.requests_command.arguments import parse
from dequeuer.requests_command.options import Command, Options, SubmitArguments


def test_a_submission_has_its_options() -> None:
    line = "submit hello a.json --wait b.json --timeout 60 --json --gateway=http://g --concurrency 3 --priority high"
    assert parse(line.split()) == Options(
        command="submit",
        api="hello",
        timeout_s=60,
        is_json=True,
        settings=("--gateway=http://g",),
        submission=SubmitArguments(files=("a.json", "b.json"), waits=True, concurrency=3, priority="high"),
    )
    assert parse(["submit", "hello"]) == Options(
        command="submit", api="hello", submission=SubmitArguments(files=("-",))
    )
    line = "submit hello --data={} --content-type image/png --key k --deadline 1h30m --webhook https://me/"
    assert parse([*line.split(), "--header", "X-A: b: c", "--header", "X-B:"]).submission == SubmitArguments(
        data="{}",
        content_type="image/png",
        key="k",
        cancel_after_s=5400.0,
        headers=(("X-A", "b: c"), ("X-B", ""), ("X-Webhook-URL", "https://me/")),
    )
    moment = parse(["submit", "hello", "--deadline", "1970-01-02T00:00:00Z"]).submission
    assert (moment.deadline_s, moment.cancel_after_s) == (86400.0, None)
    assert parse(["submit", "hello", "all.jsonl", "--lines"]).submission.splits_lines


def test_every_command_has_its_options() -> None:
    for command in ("status", "wait", "cancel"):
        assert parse([command, "hello", "id1", "--json", "id2"]).ids == ("id1", "id2")
    assert parse(["result", "hello", "id1", "--output", "f"]) == Options(
        command="result", api="hello", ids=("id1",), output="f"
    )
    assert parse(["tail", "hello", "--limit", "5", "id1"]) == Options(
        command="tail", api="hello", limit=5, ids=("id1",)
    )
    assert parse(["tail", "hello"]) == Options(command="tail", api="hello", limit=100)
    assert parse(["list", "hello", "--status", "failed", "--limit", "3"]) == Options(
        command="list", api="hello", state="failed", limit=3
    )
    assert parse(["dlq", "list", "hello", "--limit", "100"]) == Options(command="dlq list", api="hello", limit=100)
    assert parse(["dlq", "redrive", "hello", "--priority", "high"]) == Options(
        command="dlq redrive", api="hello", priority="high"
    )


@pytest.mark.parametrize(
    ("line", "text"),
    [
        ("submit", "required: API\n"),
        ("submit ../x", "not the name of an API"),
        ("submit a --data x f", "leave FILE and --lines out"),
        ("submit a --data x --lines", "leave FILE and --lines out"),
        ("submit a - -", "name - once"),
        ("submit a b c --key k", "--key is for one request"),
        ("submit a b --lines --key k", "--key is for one request"),
        ("submit a --timeout 1", "--timeout is for --wait"),
        ("submit a --concurrency 0", "a whole number from 1 to 1000"),
        ("submit a --content-type json", "not a media type"),
        ("submit a --header x", "a header is NAME: VALUE"),
        ("submit a --header Authorization:secret", "DEQUEUER_TOKEN_FILE"),
        ("submit a --header Content-Type:a/b", "use --content-type"),
        ("submit a --header X:secret\x7f", "the value of X may have"),
        ("submit a --header X:1 --header x:2", "given twice"),
        ("submit a --deadline tomorrow", "neither a time from now"),
        ("submit a --deadline 0", "neither a time from now"),
        ("submit a --deadline 300000h", "is more than 999,999,999 s from now; give a shorter time"),
        ("submit a --deadline 9999-12-31T23:59:59.999999999Z", "neither a time from now"),
        ("submit a --webhook me", "begins with https://"),
        ("submit a --key \xe9", "is no key"),
        ("submit a --priority a/b", "not the name of a priority"),
        ("status a", "required: ID"),
        ("status a b/c", "not the id of a request"),
        ("status a \x1b[2J", "not the id of a request"),
        ("result a b c", "unrecognized arguments"),
        ("result a b --json", "unrecognized arguments"),
        ("tail a b --limit 1001", "a whole number from 1 to 1000"),
        ("list a --status done", "invalid choice"),
        ("list a --gate x", "unrecognized arguments"),
        ("dlq", "required: command"),
        ("dlq --json list a", "required: command"),
        ("dlq show a", "invalid choice"),
        ("dlq list a --limit 101", "a whole number from 1 to 100"),
    ],
)
def test_a_wrong_line_is_refused(line: str, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(line.split(" "))
    assert caught.value.code == exit_statuses.USAGE
    shown = capsys.readouterr().err
    assert text in shown
    assert "\x1b" not in shown
    assert "secret" not in shown


@pytest.mark.parametrize("name", sorted(OWN_HEADERS))
def test_each_header_that_the_client_decides_is_refused_with_a_hint(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        parse(["submit", "hello", "--header", f"{name.title()}: x"])
    assert f"{name.title()} cannot be given here: " in capsys.readouterr().err


@pytest.mark.parametrize("command", get_args(Command))
def test_the_help_of_each_command_has_every_exit_status(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse([*command.split(), "--help"])
    assert caught.value.code == 0
    shown = capsys.readouterr().out
    assert shown.startswith(f"usage: dequeuer {command} ")
    for name in dir(exit_statuses):
        value = getattr(exit_statuses, name)
        if name.isupper() and isinstance(value, int):
            assert f"\n  {value} " in shown, name
    assert "\n  130  Ctrl-C (143 SIGTERM)" in shown


def test_every_field_is_described() -> None:
    for options in (Options, SubmitArguments):
        assert all(f"{one.name}:" in str(options.__doc__) for one in fields(options))


def test_each_command_is_one_of_the_program_and_ends_with_the_status_of_a_signal() -> None:
    words = {command.partition(" ")[0] for command in get_args(Command)}
    assert words == cli._REQUEST_COMMANDS
    assert all(__main__._STATUSES[word] is None for word in words)


def test_a_number_means_the_same_as_of_jobs() -> None:
    same = {"COMPLETED_WITH_FAILURES": "COMPLETED_WITH_FAILURES", "CANCELLED": "STOPPED", "EXPIRED": "TIMED_OUT"}
    for ours, theirs in (same | {"REQUEST_FAILED": "JOB_FAILED"}).items():
        assert getattr(exit_statuses, ours) == getattr(of_jobs, theirs)
