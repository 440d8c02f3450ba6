from __future__ import annotations

import asyncio
import os
import sys

import pytest

from dequeuer.core.errors import ConfigurationError
from dequeuer.dev import cli
from dequeuer.dev.errors import DevError
from dequeuer.dev.local_aws import make_bucket_and_queues
from dequeuer.dev.options import Options
from dequeuer.process.ports import free_ports


def accept(_path: str) -> None:
    """Accept every file."""


def run_as(monkeypatch: pytest.MonkeyPatch, outcome: Exception | type[BaseException] | int) -> int:
    def run(_options: Options, _check: object) -> int:
        if isinstance(outcome, int):
            return outcome
        raise outcome

    monkeypatch.setattr(cli, "_run", run)
    return cli.main(["-f", "cortex.yaml"], check_apis=accept)


def test_an_error_is_one_line_with_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_as(monkeypatch, DevError("no luck today")) == 1
    assert capsys.readouterr() == ("", "dequeuer dev: no luck today\n")


def test_faults_of_a_file_are_listed_with_status_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_as(monkeypatch, ConfigurationError(["a fault", "another"])) == 2
    assert capsys.readouterr() == ("", "dequeuer dev: 2 faults in cortex.yaml\n  a fault\n  another\n")


def test_the_name_of_a_file_cannot_act_on_a_terminal(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(_options: Options, _check: object) -> int:
        raise ConfigurationError(["a fault"])

    monkeypatch.setattr(cli, "_run", run)
    assert cli.main(["-f", "\x1b[2J.yaml"], check_apis=accept) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_the_status_is_that_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_as(monkeypatch, 42) == 42


def test_interrupted_after_everything_was_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_as(monkeypatch, KeyboardInterrupt) == 130


async def test_when_the_reader_of_the_output_exits_it_ends_without_an_error_text() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    code = "import sys; from dequeuer.cli import main; sys.exit(main(['dev', '--once', '--user-port', '1']))"
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", code), stdout=write_end, stderr=asyncio.subprocess.PIPE
        )
    finally:
        os.close(write_end)
    _, err = await process.communicate()
    assert (process.returncode, err) == (1, b"")


async def test_a_full_disk_of_the_output_is_one_line() -> None:
    code = "import sys; from dequeuer.cli import main; sys.exit(main(['dev', '--once', '--user-port', '1']))"
    with open("/dev/full", "wb") as full:  # noqa: ASYNC230, PTH123 - a device
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", code), stdout=full, stderr=asyncio.subprocess.PIPE
        )
        _, err = await process.communicate()
    assert (process.returncode, err) == (1, b"dequeuer dev: [Errno 28] No space left on device\n")


async def test_an_embedded_server_that_does_not_respond_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    (port,) = free_ports(1)
    with pytest.raises(DevError, match=r"the embedded SQS and S3 cannot be used .*--verbose"):
        await make_bucket_and_queues(f"http://127.0.0.1:{port}", {"api": "q.fifo"})
