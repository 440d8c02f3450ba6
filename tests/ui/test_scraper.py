"""What addresses of metrics answer, within bounds; what cannot be read is told and hides nothing of the others."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

import pytest
from aiohttp import web

from dequeuer.settings.ui import MetricsAddress
from dequeuer.ui import readings, scraper
from dequeuer.ui.readings import Reading
from dequeuer.ui.scraper import open_scraper
from dequeuer.ui.scraping import Sample
from tests.client.stage import answer, canned
from tests.jumping_clock import jumping_clock
from tests.ui.stage import served

SIDECAR = b'dequeuer_messages_total{settlement="completed"} 3\ndequeuer_in_flight 2\ndequeuer_ready 1\n'


def program(body: bytes = SIDECAR, status: int = 200) -> web.Application:
    """Return a program whose metrics are at `/metrics`; at `/slow` they never end."""

    async def metrics(request: web.Request) -> web.Response:
        assert "Authorization" not in request.headers
        return web.Response(status=status, body=body)

    async def slow(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"# a line\n")
            await asyncio.sleep(0.02)

    app = web.Application()
    app.router.add_get("/metrics", metrics)
    app.router.add_get("/slow", slow)
    return app


async def test_each_address_is_read_at_its_path_and_says_whose_it_is() -> None:
    async with served(program()) as url:
        addresses = [MetricsAddress(api_name="a", url=url), MetricsAddress(api_name="b", url=f"{url}/metrics")]
        async with open_scraper(addresses) as opened:
            found = await opened.read()
            assert [{*by_api} for by_api in found.values()] == [{"a"}, {"b"}]
            assert {(one.in_flight, one.is_ready) for by_api in found.values() for one in by_api.values()} == {
                (2, True)
            }
            assert opened.faults == []


async def test_an_address_that_cannot_be_read_is_a_fault_until_it_can() -> None:
    app = program()
    async with served(app) as url, served(program(status=500)) as broken:
        addresses = [MetricsAddress(api_name="b", url=broken), MetricsAddress(api_name="", url="http://127.0.0.1:1")]
        async with open_scraper([MetricsAddress(api_name="a", url=url), *addresses]) as opened:
            assert [{*by_api} for by_api in (await opened.read()).values()] == [{"a"}]
            assert [fault.partition(": ")[0] for fault in opened.faults] == [
                "no metrics of b",
                "no metrics of the gateway",
            ]


async def test_an_answer_that_never_ends_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    jump, readings_of, was_read = jumping_clock(monkeypatch), readings.readings_of, asyncio.Event()

    def read(samples: Iterable[Sample], api_name: str) -> Mapping[str, Reading]:
        was_read.set()
        return readings_of(samples, api_name)

    monkeypatch.setattr(scraper, "readings_of", read)
    monkeypatch.setattr(scraper, "TIMEOUT_S", 100)
    async with served(program()) as url:
        addresses = [MetricsAddress(api_name="slow", url=f"{url}/slow"), MetricsAddress(api_name="a", url=url)]
        async with asyncio.timeout(200), open_scraper(addresses) as opened:
            reading = asyncio.create_task(opened.read())
            await was_read.wait()  # however long it takes
            jump(101)
            assert [{*by_api} for by_api in (await reading).values()] == [{"a"}]
            assert opened.faults == ["no metrics of slow: no answer within 100 s"]


async def test_an_answer_that_is_too_large_is_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scraper, "MAX_BYTES", 1000)
    async with (
        served(program(SIDECAR + b"# a line\n" * 200)) as url,
        open_scraper([MetricsAddress(api_name="a", url=url)]) as opened,
    ):
        assert await opened.read() == {}
        assert len(opened.faults) == 1


async def test_a_kept_connection_that_was_closed_is_no_fault() -> None:
    async with canned(b"", answer(SIDECAR)) as server:
        addresses = [MetricsAddress(api_name="a", url=server.url)]
        async with open_scraper(addresses) as opened:
            assert [{*by_api} for by_api in (await opened.read()).values()] == [{"a"}]
            assert opened.faults == []
