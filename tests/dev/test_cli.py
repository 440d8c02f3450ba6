from __future__ import annotations

import asyncio
import os
import sys

import pytest

from dequeuer.dev import cli
from dequeuer.dev.errors import DevError
from dequeuer.dev.local_aws import open_local_aws
from dequeuer.dev.options import Options
from dequeuer.process.ports import free_ports


def test_an_error_is_one_line_with_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def run(_options: Options) -> int:
        raise DevError("no luck today")

    monkeypatch.setattr(cli, "_run", run)
    assert cli.main([]) == 1
    assert capsys.readouterr() == ("", "dequeuer dev: no luck today\n")


def test_the_status_is_that_of_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(options: Options) -> int:
        return options.samples

    monkeypatch.setattr(cli, "_run", run)
    assert cli.main(["--samples", "42"]) == 42


def test_interrupted_before_it_began(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run(_options: Options) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(cli, "_run", run)
    assert cli.main([]) == 130


async def test_when_the_reader_of_the_output_exits_it_ends_without_an_error_text() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    code = "import sys; from dequeuer.dev.cli import main; sys.exit(main(['--once', '--user-port', '1']))"
    try:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", code), stdout=write_end, stderr=asyncio.subprocess.PIPE
        )
    finally:
        os.close(write_end)
    _, err = await process.communicate()
    assert (process.returncode, err) == (1, b"")


async def test_an_embedded_server_that_does_not_respond_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    (port,) = free_ports(1)
    with pytest.raises(DevError, match=r"the embedded SQS and S3 cannot be used .*--verbose"):
        async with open_local_aws(f"http://127.0.0.1:{port}", "q.fifo"):
            pass
