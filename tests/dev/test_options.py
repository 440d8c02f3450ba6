from __future__ import annotations

import pytest

from dequeuer.dev.chaos_plan import CHAOS_KINDS, ChaosPlan
from dequeuer.dev.options import Options, parse


def test_without_anything_it_is_an_async_api_with_a_built_in_container() -> None:
    assert parse([]) == Options(
        file=None,
        demo=False,
        kind="async",
        once=False,
        samples=3,
        payload=None,
        user_port=None,
        command=(),
        gateway_port=None,
        aws_port=None,
        ui_port=None,
        has_page=True,
        workers=2,
        fifo=True,
        ready_timeout_s=120,
        verbose=False,
    )


def test_everything_can_be_given() -> None:
    line = "--kind async --once --samples 7 --user-port 9000 --port 9001 --aws-port 9002 --workers 5 --queue standard --verbose"
    options = parse([*line.split(), "--payload", "[1]", "--ready-timeout", "9"])
    assert (options.once, options.samples, options.user_port, options.gateway_port) == (True, 7, 9000, 9001)
    assert options.aws_port == 9002
    assert (options.workers, options.fifo, options.verbose) == (5, False, True)
    assert (options.payload, options.ready_timeout_s) == ("[1]", 9)


def test_what_follows_two_dashes_is_the_users_command_untouched() -> None:
    options = parse(["--once", "--", "uvicorn", "app:app", "--port", "8080", "--", "--once"])
    assert options.command == ("uvicorn", "app:app", "--port", "8080", "--", "--once")
    assert options.gateway_port is None


def test_a_command_is_expected_on_8080_by_default() -> None:
    assert parse(["--", "serve"]).user_port == 8080
    assert parse(["--user-port", "5000", "--", "serve"]).user_port == 5000


def test_a_command_for_a_job_has_no_port_of_its_own() -> None:
    for kind in ("batch", "realtime"):
        assert parse(["--kind", kind, "--", "serve"]).user_port is None


def test_a_file_says_what_is_run() -> None:
    options = parse(["-f", "cortex.yaml", "--port", "8888", "--aws-port", "4566", "--once"])
    assert (options.file, options.gateway_port, options.aws_port, options.once) == ("cortex.yaml", 8888, 4566, True)


@pytest.mark.parametrize(
    ("line", "is_interactive", "once"),
    [([], True, False), ([], False, True), (["--once"], True, True), (["--stay"], False, False)],
)
def test_a_demo_has_a_page_and_stays_for_a_person_who_can_end_it(
    line: list[str], is_interactive: bool, once: bool
) -> None:
    options = parse(["--demo", *line], is_interactive=is_interactive)
    assert (options.demo, options.has_page, options.once) == (True, True, once)


def test_without_demo_a_run_without_a_terminal_stays() -> None:
    assert not parse([], is_interactive=False).once


def test_there_is_a_page_unless_the_run_ends_by_itself_or_nobody_wants_it() -> None:
    assert parse(["--ui-port", "9000"]).ui_port == 9000
    assert parse(["-f", "cortex.yaml"]).has_page
    assert not parse(["--no-ui"]).has_page
    assert not parse(["--once"]).has_page


def test_fifo_is_short_for_queue_fifo() -> None:
    assert parse(["--fifo"]).fifo
    assert not parse(["--queue", "standard"]).fifo


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (["--samples", "0"], '"0" is not a whole number from 1 to 100'),
        (["--samples", "101"], '"101" is not a whole number from 1 to 100'),
        (["--samples", "+5"], '"+5" is not a whole number'),
        (["--samples", "9" * 5000], "from 1 to 100"),
        (["--workers", "many"], '"many" is not a whole number from 1 to 100'),
        (["--user-port", "65536"], "from 1 to 65535"),
        (["--payload", "{text: hello}"], "is not JSON"),
        (["--kind", "task"], "'async', 'batch', 'realtime'"),
        (["--kind", "realtime", "--user-port", "9000"], "--user-port: its port is chosen: give the command"),
        (["--kind", "realtime", "--queue", "fifo"], "--queue: a realtime API has no queue in SQS"),
        (["--queue", "standard", "--fifo"], "not allowed with"),
        (["--sample", "3"], "unrecognized arguments: --sample 3"),
        (["uvicorn", "app:app"], "unrecognized arguments: uvicorn"),
        (["--"], "nothing follows '--'"),
        (["--port", "8080", "--", "serve"], "--port 8080 is the container's port, too"),
        (["--port", "9000", "--user-port", "9000"], "is the container's port, too"),
        (["--port", "9000", "--aws-port", "9000"], "--port 9000 is --aws-port, too"),
        (["--kind", "batch", "--user-port", "9000"], "each worker of a job has a container and a port of its own"),
        (["--kind", "batch", "--queue", "fifo"], "the controller makes the queue of a job"),
        (["-f", "cortex.yaml", "--kind", "batch", "--workers", "2"], "--kind, --workers: not with -f"),
        (["--demo", "--kind", "batch", "--no-ui"], "--kind, --no-ui: not with --demo"),
        (["--once", "--ui-port", "9000"], "--ui-port: there is no page with --once or --no-ui"),
        (["--port", "9000", "--ui-port", "9000"], "--port 9000 is --ui-port, too"),
        (["--demo", "--", "serve"], "a command after '--': not with --demo"),
        (["-f", "cortex.yaml", "--demo"], "--demo: not with -f"),
        (["--stay"], "--stay: only with --demo"),
        (["--demo", "--once", "--stay"], "not allowed with"),
        (["-f", "cortex.yaml", "--", "serve"], "a command after '--': not with -f"),
    ],
)
def test_invalid_arguments_are_reported_with_status_2(
    line: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(line)
    assert ended.value.code == 2
    message = capsys.readouterr().err
    assert told in message
    assert len(message) < 1000


def test_help_shows_the_ways_to_bring_a_container(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(["--help"])
    assert ended.value.code == 0
    shown = capsys.readouterr().out
    assert "dequeuer dev -- uvicorn app:app --port 8080" in shown
    assert "--user-port" in shown


def test_chaos_is_all_kinds_or_those_that_are_named_and_has_a_seed() -> None:
    assert parse(["-f", "a", "--chaos", "--chaos-seed", "5"]).chaos == ChaosPlan(kinds=CHAOS_KINDS, seed=5)
    assert parse(["--chaos", "slow-s3,kills", "-f", "a", "--chaos-seed", "0"]).chaos == ChaosPlan(
        kinds=("kills", "slow-s3"), seed=0
    )
    largest = parse(["-f", "a", "--chaos", "--chaos-seed", "4294967295"]).chaos
    assert largest is not None
    assert largest.seed == 2**32 - 1
    chosen = [parse(["-f", "a", "--chaos"]).chaos for _ in range(3)]
    assert len({one.seed for one in chosen if one is not None}) > 1
    assert parse(["-f", "a"]).chaos is None


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("--chaos", "--chaos: only with -f: write the APIs into a cortex.yaml, or leave it out"),
        ("-f a --chaos --once", "--chaos: not with --once, which ends before anything goes wrong"),
        ("-f a --chaos-seed 1", "--chaos-seed: repeats the chaos of another run: give --chaos, too, or leave it out"),
        ("-f a --chaos kill", '"kill" is no kind of chaos; allowed: kills, throttling, errors, slow-s3'),
        ("-f a --chaos --chaos-seed -1", "--chaos-seed"),
        ("-f a --chaos --chaos-seed 4294967296", "--chaos-seed"),
    ],
)
def test_chaos_that_has_no_sense_is_a_usage_error(line: str, reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parse(line.split())
    assert ended.value.code == 2
    assert reason in capsys.readouterr().err
