from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import pytest

from dequeuer.core.errors import FatalError
from dequeuer.observability.admin import AdminServer, responding
from dequeuer.observability.metrics import Metrics


class State:
    def __init__(self) -> None:
        self.ready = False
        self.live = True
        self.metrics = Metrics("async", "api", "", 1)


@pytest.fixture
def state() -> State:
    return State()


@pytest.fixture
async def server(state: State) -> AsyncIterator[AdminServer]:
    admin = AdminServer(["127.0.0.1"], 0, state.metrics.render, lambda: state.ready, lambda: state.live)
    await admin.start()
    yield admin
    await admin.stop()


@pytest.fixture
async def client(server: AdminServer) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(f"http://127.0.0.1:{server.port}") as session:
        yield session


async def test_healthz_is_the_gate(client: aiohttp.ClientSession, state: State) -> None:
    for ready, status, text in ((False, 500, "unhealthy"), (True, 200, "healthy"), (False, 500, "unhealthy")):
        state.ready = ready
        async with client.get("/healthz") as answer:
            assert (answer.status, await answer.text()) == (status, text)
            assert answer.content_type == "text/plain"


async def test_the_reason_for_not_ready_is_a_header(state: State) -> None:
    admin = AdminServer(
        ["127.0.0.1"], 0, state.metrics.render, lambda: state.ready, lambda: True, not_ready_reason=lambda: "it sleeps"
    )
    await admin.start()
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{admin.port}") as client:
            async with client.get("/healthz") as answer:
                assert (answer.status, await answer.text()) == (500, "unhealthy")
                assert answer.headers["X-Dequeuer-Reason"] == "it sleeps"
            state.ready = True
            async with client.get("/healthz") as answer:
                assert (answer.status, await answer.text()) == (200, "healthy")
                assert "X-Dequeuer-Reason" not in answer.headers
    finally:
        await admin.stop()


async def test_livez(client: aiohttp.ClientSession, state: State) -> None:
    for live, status, text in ((True, 200, "alive"), (False, 500, "stuck")):
        state.live = live
        async with client.get("/livez") as answer:
            assert (answer.status, await answer.text()) == (status, text)


async def test_metrics(client: aiohttp.ClientSession, state: State) -> None:
    async with client.get("/metrics") as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == state.metrics.content_type
        text = await answer.text()
    assert text.startswith("# HELP cortex_async_latency ")
    assert "\n# TYPE cortex_async_request_count counter\n" in text


async def test_an_openmetrics_scraper_gets_the_plain_format_too(client: aiohttp.ClientSession) -> None:
    async with client.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"}) as answer:
        assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
        assert "# EOF" not in await answer.text()


@pytest.mark.parametrize("path", ["/healthz", "/livez", "/metrics"])
async def test_head_and_get_only(client: aiohttp.ClientSession, state: State, path: str) -> None:
    state.ready = True
    async with client.head(path) as answer:
        assert (answer.status, await answer.read()) == (200, b"")
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        async with client.request(method, path) as answer:
            assert answer.status == 405


async def test_unknown_paths(client: aiohttp.ClientSession) -> None:
    for path in ("/", "/healthz/x", "/debug/pprof"):
        async with client.get(path) as answer:
            assert answer.status == 404


async def test_long_heads_are_refused(client: aiohttp.ClientSession) -> None:
    async with client.get("/healthz?" + "x" * 6000) as answer:
        assert answer.status == 400
    async with client.get("/healthz", headers={"X": "x" * 6000}) as answer:
        assert answer.status == 400


async def test_a_callable_that_raises_is_500_and_the_server_continues(caplog: pytest.LogCaptureFixture) -> None:
    results = iter([RuntimeError("a bug"), None])

    def is_ready() -> bool:
        if (error := next(results)) is not None:
            raise error
        return True

    admin = AdminServer(["127.0.0.1"], 0, lambda: b"", is_ready, lambda: True)
    await admin.start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{admin.port}") as client:
        for status in (500, 200):
            async with client.get("/healthz") as answer:
                assert answer.status == status
                assert "a bug" not in await answer.text()
    await admin.stop()
    assert "a bug" in caplog.text


async def test_a_port_in_use_is_fatal_and_the_error_has_a_remedy(server: AdminServer) -> None:
    second = AdminServer(["127.0.0.1"], server.port, lambda: b"", lambda: True, lambda: True)
    with pytest.raises(FatalError) as caught:
        await second.start()
    assert f"127.0.0.1:{server.port}" in str(caught.value)
    assert "DEQUEUER_ADMIN_PORT" in str(caught.value)
    assert second.port == server.port
    await second.stop()


async def test_an_impossible_port_is_fatal() -> None:
    with pytest.raises(FatalError, match="DEQUEUER_ADMIN_PORT"):
        await AdminServer(["127.0.0.1"], 70000, lambda: b"", lambda: True, lambda: True).start()


async def test_stop_does_not_wait_for_kept_or_half_open_connections() -> None:
    admin = AdminServer(["127.0.0.1"], 0, lambda: b"", lambda: True, lambda: True)
    await admin.start()
    port = admin.port
    kept_reader, kept = await asyncio.open_connection("127.0.0.1", port)
    kept.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (await kept_reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    assert await kept_reader.readexactly(7) == b"healthy"
    half_reader, half = await asyncio.open_connection("127.0.0.1", port)
    half.write(b"GET /healthz HT")
    await half.drain()

    # Far above what a slow machine needs, below the time-outs of idle connections.
    async with asyncio.timeout(50):
        await admin.stop()
    assert await kept_reader.read() == b""
    assert await half_reader.read() == b""
    for writer in (kept, half):
        writer.close()
        await writer.wait_closed()
    with pytest.raises(OSError, match=r"refused|Connect call failed"):
        await asyncio.open_connection("127.0.0.1", port)
    await admin.stop()


async def test_start_after_stop_listens_again() -> None:
    admin = AdminServer(["127.0.0.1"], 0, lambda: b"", lambda: True, lambda: True)
    assert admin.port == 0
    await admin.start()
    assert admin.port != 0
    await admin.stop()
    await admin.start()
    async with aiohttp.ClientSession() as client, client.get(f"http://127.0.0.1:{admin.port}/livez") as answer:
        assert answer.status == 200
    await admin.stop()


@dataclass(frozen=True)
class Caller:
    remote: str | None


@pytest.mark.parametrize(
    ("remote", "is_local"),
    [
        ("127.0.0.1", True),
        ("127.8.9.10", True),
        ("::1", True),
        ("10.0.0.7", False),
        ("fd00::1", False),
        ("::ffff:10.0.0.7", False),
        ("", False),
        ("localhost", False),
        (None, False),
    ],
)
async def test_an_action_for_the_pod_alone_is_refused_to_others_and_not_carried_out(
    remote: str | None, is_local: bool
) -> None:
    carried_out: list[str] = []

    async def action() -> str:
        carried_out.append("once")
        return "done"

    refused = await responding(action, only_local=True)(Caller(remote))
    assert (refused.status, bool(carried_out)) == ((200, True) if is_local else (403, False))
    carried_out.clear()
    assert (await responding(action, only_local=False)(Caller(remote))).status == 200
    assert carried_out
