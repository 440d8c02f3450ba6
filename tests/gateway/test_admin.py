"""The admin server of the gateway: which port it has, and what it reports."""

from __future__ import annotations

import socket
import urllib.error
import urllib.request
from asyncio import to_thread
from collections.abc import Mapping
from contextlib import AsyncExitStack

import pytest
from structlog.testing import capture_logs

from dequeuer.core.drain import Drain
from dequeuer.gateway import admin
from dequeuer.gateway.admin import Admin
from dequeuer.process.ports import free_ports
from dequeuer.settings import GatewaySettings, load_gateway
from dequeuer.settings.gateway import DEFAULT_ADMIN_PORT
from tests.settings.environments import ASYNC, GATEWAY, load


def settings(port: int | None) -> GatewaySettings:
    chosen = {"DEQUEUER_ADMIN_PORT": str(port)} if port else {}
    return load_gateway([], {**GATEWAY, "DEQUEUER_ADMIN_HOST": "127.0.0.1", **chosen})


def make(port: int | None, drain: Drain | None = None) -> Admin:
    return Admin(settings(port), lambda: b"metrics 1\n", drain or Drain())


async def ask(port: int, path: str) -> tuple[int, Mapping[str, str], bytes]:
    def call() -> tuple[int, Mapping[str, str], bytes]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=60) as answer:
                return answer.status, dict(answer.headers), answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), error.read()

    return await to_thread(call)


async def test_it_is_healthy_while_the_gateway_accepts_requests() -> None:
    [port] = free_ports(1)
    drain = Drain()
    async with AsyncExitStack() as stack:
        one = make(port, drain)
        assert await one.start(stack)
        status, headers, _ = await ask(port, "/healthz")
        assert (status, headers["X-Dequeuer-Reason"]) == (500, "the gateway does not accept requests yet")
        one.serves()
        assert (await ask(port, "/healthz"))[0] == 200
        assert (await ask(port, "/metrics"))[2] == b"metrics 1\n"
        drain.request()
        status, headers, _ = await ask(port, "/healthz")
        assert (status, headers["X-Dequeuer-Reason"]) == (500, "the gateway drains")
        assert (await ask(port, "/livez"))[0] == 200
    with pytest.raises(OSError, match="refused"):
        await ask(port, "/livez")


async def test_a_port_that_was_chosen_and_is_taken_stops_the_start() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, capture_logs() as lines:
        async with AsyncExitStack() as stack:
            assert not await make(taken.getsockname()[1]).start(stack)
    [line] = lines
    assert line["event"] == "cannot_go_on"
    assert "DEQUEUER_ADMIN_PORT" in line["error"]


async def test_a_port_that_nobody_chose_and_that_is_taken_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, capture_logs() as lines:
        monkeypatch.setattr(admin, "DEFAULT_ADMIN_PORT", taken.getsockname()[1])
        async with AsyncExitStack() as stack:
            one = make(None)
            assert await one.start(stack)
            assert lines == []
            one.serves()
    [line] = lines
    assert (line["event"], line["log_level"]) == ("admin_server_missing", "warning")


async def test_the_port_of_the_gateway_is_left_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    [port] = free_ports(1)
    monkeypatch.setattr(admin, "DEFAULT_ADMIN_PORT", port)
    environ = {**GATEWAY, "DEQUEUER_ADMIN_HOST": "127.0.0.1", "DEQUEUER_GATEWAY_PORT": str(port)}
    async with AsyncExitStack() as stack:
        one = Admin(load_gateway([], environ), bytes, Drain())
        assert await one.start(stack)
        with socket.create_server(("127.0.0.1", port)), capture_logs() as lines:
            one.serves()
    assert [line["event"] for line in lines] == ["admin_server_missing"]


def test_the_default_port_is_that_of_the_other_programs() -> None:
    assert load([], ASYNC).admin_port == DEFAULT_ADMIN_PORT
