from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from dequeuer.dev import local_aws, ready
from dequeuer.dev.errors import DevError
from dequeuer.dev.ports import check_free, is_served
from dequeuer.process.exit_text import describe_exit
from dequeuer.process.ports import free_ports


@pytest.mark.looptime
async def test_it_checks_until_the_check_succeeds(looptime: float) -> None:
    answers = iter([False] * 3 + [True])

    async def check() -> bool:
        return next(answers)

    await ready.wait_until(check, "it is not there")
    assert looptime == pytest.approx(0.15)


@pytest.mark.looptime
async def test_after_the_timeout_it_fails_and_reports_slowness_once_before() -> None:
    said: list[str] = []

    async def check() -> bool:
        return False

    with pytest.raises(DevError, match="after 12 s the container does not listen"):
        await ready.wait_until(
            check, "the container does not listen", timeout_s=12, on_slow=lambda: said.append("still waiting")
        )
    assert said == ["still waiting"]


async def test_why_a_program_is_not_ready_is_what_it_says() -> None:
    async def healthz(request: web.Request) -> web.Response:
        status = int(request.query["status"])
        return web.Response(status=status, headers={"X-Dequeuer-Reason": "no container"} if status == 500 else {})

    app = web.Application()
    app.router.add_get("/healthz", healthz)
    async with TestServer(app, host="127.0.0.1") as server, aiohttp.ClientSession() as session:
        url = str(server.make_url("/healthz"))
        assert await ready.reason_not_ready(session, f"{url}?status=200") is None
        assert await ready.reason_not_ready(session, f"{url}?status=500") == "no container"
        assert await ready.reason_not_ready(session, f"{url}?status=503") == ""
    async with aiohttp.ClientSession() as session:
        assert await ready.reason_not_ready(session, url) == ""


async def test_a_port_listens_or_does_not() -> None:
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        assert await ready.is_listening(port)
        assert is_served(port)
    assert not await ready.is_listening(port)


def test_free_ports_are_different_and_free() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    for port in ports:
        check_free(port, "a test's", "do not")


def test_a_port_in_use_is_reported_with_what_to_do() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(DevError, match=rf"port {port} \(the gateway's\) is in use by another program: take --port"):
            check_free(port, "the gateway's", "take --port")


def test_without_ministack_the_error_has_the_command_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    with pytest.raises(DevError, match=r"pip install 'dequeuer\[dev\]'"):
        local_aws.find_server(str(tmp_path))


def test_ministack_is_found_beside_python_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    for place in ("venv", "elsewhere"):
        (tmp_path / place).mkdir()
        script = tmp_path / place / "ministack"
        script.touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(tmp_path / "venv" / "python"))
    assert local_aws.find_server(str(tmp_path / "elsewhere")) == [str(tmp_path / "venv" / "ministack")]
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert local_aws.find_server(str(tmp_path / "elsewhere")) == [str(tmp_path / "elsewhere" / "ministack")]


def test_ends_are_described() -> None:
    assert describe_exit(3) == "ended with exit status 3"
    assert describe_exit(-9) == "was killed by SIGKILL"
    assert describe_exit(-200) == "was killed by signal 200"
