from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from dequeuer.client.errors import (
    ClientError,
    GatewayAbsentError,
    GatewayBusyError,
    GatewayLostError,
    InvalidAnswerError,
    RefusedFault,
    RequestRefusedError,
)
from dequeuer.client.following import follow
from dequeuer.client.job_status import JobStatus, job_status
from dequeuer.client.retrying import Retries
from dequeuer.formats.go_json import decode
from tests.client.pauses import reconnect_at_once
from tests.client.stage import calling, canned, events, status_fields
from tests.jobs.stage import JOB

PENDING, RUNNING, DONE = (
    job_status(decode(json.dumps(status_fields(state)))) for state in ("pending", "running", "succeeded")
)
OUTAGE_LIMIT_S = 300.0
ABSENT, LOST = GatewayAbsentError("absent"), GatewayLostError("lost")

pytestmark = pytest.mark.looptime


class Streams:
    """Streams of events: each yields its statuses, then raises its error, if it has one."""

    def __init__(self, *streams: list[JobStatus | Exception], takes_s: float = 0.0) -> None:
        self._streams = list(streams)
        self._takes_s = takes_s
        self.opened = 0

    async def events(self, job_id: str) -> AsyncGenerator[JobStatus, None]:
        self.opened += 1
        for one in self._streams.pop(0) if len(self._streams) > 1 else self._streams[0]:
            await asyncio.sleep(self._takes_s)
            if isinstance(one, Exception):
                raise one
            yield one


class Outages(list[ClientError]):
    """What was told of outages."""


async def states(streams: Streams, outages: Outages | None = None, *, is_known: bool = False) -> list[str]:
    told = Outages() if outages is None else outages
    retries = Retries(OUTAGE_LIMIT_S)
    retries.is_known = is_known
    return [status.state async for status in follow(streams, JOB, retries, on_outage=told.append)]


async def test_a_job_is_followed_to_its_end() -> None:
    assert await states(Streams([PENDING, RUNNING, DONE])) == ["pending", "running", "succeeded"]


async def test_a_gateway_that_drains_is_left_for_another_one() -> None:
    outages = Outages()
    streams = Streams([PENDING, RUNNING], [RUNNING], [RUNNING, LOST], [RUNNING, DONE])
    assert await states(streams, outages) == ["pending", "running", "succeeded"]
    assert (streams.opened, outages) == (4, [])


async def test_an_outage_is_told_once_and_survived() -> None:
    outages = Outages()
    streams = Streams([RUNNING, LOST], [ABSENT], [ABSENT], [GatewayBusyError("busy")], [RUNNING], [LOST], [DONE])
    assert await states(streams, outages) == ["running", "succeeded"]
    assert outages == [ABSENT, LOST]


async def test_a_pause_that_the_gateway_asks_for_is_kept(looptime: float) -> None:
    await states(Streams([GatewayBusyError("busy", 20.0)], [DONE]))
    assert looptime == 20.0


async def test_an_outage_has_a_limit(looptime: float) -> None:
    with pytest.raises(GatewayAbsentError):
        await states(Streams([RUNNING, LOST], [ABSENT]))
    assert OUTAGE_LIMIT_S * 0.9 < looptime <= OUTAGE_LIMIT_S


async def test_short_outages_do_not_add_up(looptime: float) -> None:
    again: list[list[JobStatus | Exception]] = [[replace(RUNNING, workers=n), LOST] for n in range(500)]
    assert len(await states(Streams(*again, [DONE]))) == 501
    assert looptime > OUTAGE_LIMIT_S * 0.8


async def test_an_address_at_which_nothing_listens_is_an_error_at_once(looptime: float) -> None:
    with pytest.raises(GatewayAbsentError):
        await states(Streams([ABSENT], [DONE]))
    assert looptime == 0.0
    assert await states(Streams([ABSENT], [DONE]), is_known=True) == ["succeeded"]
    assert await states(Streams([GatewayBusyError("busy")], [ABSENT], [DONE])) == ["succeeded"]


async def test_the_page_of_a_load_balancer_is_an_outage_once_the_gateway_was_there() -> None:
    page = InvalidAnswerError("status 404: is it a gateway")
    outages = Outages()
    assert await states(Streams([RUNNING, LOST], [page], [page], [DONE]), outages) == ["running", "succeeded"]
    assert outages == [page]
    assert await states(Streams([RUNNING, page], [DONE])) == ["running", "succeeded"]
    with pytest.raises(InvalidAnswerError):
        await states(Streams([page], [DONE]))
    with pytest.raises(InvalidAnswerError):
        await states(Streams([RUNNING, LOST], [page]))


async def test_a_job_that_is_deleted_is_an_error_at_once() -> None:
    gone = RequestRefusedError(404, [RefusedFault("job.not_found", "no job")])
    with pytest.raises(RequestRefusedError):
        await states(Streams([RUNNING, LOST], [gone]))


async def test_a_server_that_ends_every_stream_is_not_asked_all_the_time(looptime: float) -> None:
    streams = Streams([])
    with pytest.raises(GatewayLostError):
        await states(streams, is_known=True)
    assert streams.opened < 100


async def test_streams_that_are_cut_off_are_taken_up(monkeypatch: pytest.MonkeyPatch) -> None:
    reconnect_at_once(monkeypatch)
    first = events(status_fields("pending"), status_fields("running"), whole=False)
    async with (
        canned(first, b"HTTP/1.1 2", events(status_fields("succeeded"))) as gateway,
        calling(gateway.url) as jobs,
    ):
        found = [status.state async for status in follow(jobs.calls, JOB, jobs.retries)]
    assert found == ["pending", "running", "succeeded"]
    assert [line for line, _ in gateway.requests] == [f"GET /batch/sum/events?jobID={JOB}"] * 3
