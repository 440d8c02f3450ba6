"""The stream of events over HTTP."""

from __future__ import annotations

import asyncio

import pytest

from dequeuer.ui import application, events_route, watch
from tests.gateway.openapi import stage as gateway_stage
from tests.ui.scripted import parsed
from tests.ui.stage import page_before


async def test_a_page_follows_the_stream() -> None:
    async with (
        page_before(gateway_stage.application()) as browser,
        browser.session.get(f"{browser.url}/api/events") as answer,
    ):
        assert (answer.status, answer.headers["Content-Type"]) == (200, "text/event-stream")
        assert answer.headers["Cache-Control"] == "no-store"
        data = b""
        while b"event: snapshot" not in data:
            data += await answer.content.readany()
    assert parsed(data.rpartition(b"\n\n")[0])[0] == ("history", {"points": []})


@pytest.fixture
def watch_stopped(monkeypatch: pytest.MonkeyPatch) -> asyncio.Event:
    """Return what is set when nobody looks any more."""
    stopped = asyncio.Event()
    stop = watch.Watch._stop

    async def stop_and_tell(self: watch.Watch) -> None:
        await stop(self)
        stopped.set()

    monkeypatch.setattr(watch.Watch, "_stop", stop_and_tell)
    return stopped


async def test_a_page_that_leaves_ends_the_watch(watch_stopped: asyncio.Event) -> None:
    async with page_before(gateway_stage.application()) as browser:
        answer = await browser.session.get(f"{browser.url}/api/events")
        await answer.content.readany()
        answer.close()
        async with asyncio.timeout(30):
            await watch_stopped.wait()


async def test_a_page_that_reads_nothing_is_cut_off(
    monkeypatch: pytest.MonkeyPatch, watch_stopped: asyncio.Event
) -> None:
    monkeypatch.setattr(events_route, "WRITE_TIMEOUT_S", 0.3)
    monkeypatch.setattr(watch, "SNAPSHOT_INTERVAL_S", 0.01)
    monkeypatch.setattr(watch, "HISTORY_INTERVAL_S", 0.02)
    monkeypatch.setattr(watch, "event", lambda _name, _fields: b"x" * 200_000)
    async with page_before(gateway_stage.application()) as browser:
        port = int(browser.url.rpartition(":")[2])
        _, writing = await asyncio.open_connection("127.0.0.1", port, limit=1024)
        writing.write(f"GET /api/events HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode())
        async with asyncio.timeout(60):
            await watch_stopped.wait()
        assert not writing.transport.is_closing(), "it is the server that has left"
        writing.transport.abort()


async def test_only_so_many_requests_are_under_way(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "MAX_REQUESTS", 2)
    async with page_before(gateway_stage.application()) as browser:
        async with browser.session.get(f"{browser.url}/api/events"), browser.session.get(f"{browser.url}/api/events"):
            assert (await browser.get("/")).status == 503
            assert (await browser.get("/healthz")).status == 200, "many readers are no reason to restart the process"
        async with asyncio.timeout(30):
            while (await browser.get("/")).status != 200:
                pass
