"""How the client waits for a request, in virtual time: gateways that drain, hang, or are away."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import replace

import pytest

from dequeuer.client import following
from dequeuer.client.errors import (
    ClientError,
    GatewayAbsentError,
    GatewayBusyError,
    GatewayLostError,
    InvalidAnswerError,
    RefusedFault,
    RequestRefusedError,
)
from dequeuer.client.outcomes import RequestNotEndedError
from dequeuer.client.request_calls import RequestCalls, Submitted
from dequeuer.client.request_status import RequestStatus
from dequeuer.client.requests import ApiRequests
from dequeuer.client.retrying import CALL_BACKOFF, RETRY_LIMIT_S, Retries
from dequeuer.client.submission import Submission
from dequeuer.client.wait_limit import LATE_S, SLICE_S

pytestmark = pytest.mark.looptime

ABSENT, BUSY, LOST = GatewayAbsentError("absent"), GatewayBusyError("too many wait", 3.0), GatewayLostError("lost")
REFUSED = RequestRefusedError(404, [RefusedFault("error", "id id1 not found")])


def status(state: str) -> RequestStatus:
    return RequestStatus(fields={}, id="id1", state=state)


WAITING, RUNNING, DONE = status("in_queue"), status("in_progress"), status("completed")
LARGE = replace(DONE, result_bytes=8)


class Calls(RequestCalls):
    """A gateway whose requests end at a time of the loop.

    Attributes:
        ends_at: when the request ends.
        failures: of the next calls.
        drains_until: waits before this time are answered at once.
        hangs: calls are never answered.
        waits: the seconds of each wait.
        end: what a status says once the request has ended.
        pieces: what comes of its result.
        downloads: of the result, by now.
    """

    def __init__(self, ends_at: float = 0.0) -> None:
        super().__init__(None, "api")  # type: ignore[arg-type] # nothing is sent
        self.ends_at = ends_at
        self.failures: list[ClientError] = []
        self.drains_until = -1.0
        self.hangs = False
        self.waits: list[int] = []
        self.end = DONE
        self.pieces: list[bytes | ClientError] = []
        self.downloads = 0
        self.streams: list[list[RequestStatus | ClientError]] = []

    async def submit(self, submission: Submission, wait_s: int = 0) -> Submitted:
        known = await self.status("id1", wait_s)
        return Submitted(id="id1", status=known if known.has_ended else None)

    async def status(self, request_id: str, wait_s: int = 0, max_result_bytes: int | None = None) -> RequestStatus:
        self.waits.append(wait_s)
        if self.hangs:
            await asyncio.Event().wait()
        if self.failures:
            raise self.failures.pop(0)
        loop = asyncio.get_running_loop()
        if loop.time() >= self.drains_until:
            await asyncio.sleep(min(wait_s, max(0.0, self.ends_at - loop.time())))
        return self.end if loop.time() >= self.ends_at else WAITING

    async def events(self, request_id: str, /) -> AsyncGenerator[RequestStatus, None]:
        for one in self.streams.pop(0):
            if isinstance(one, ClientError):
                raise one
            yield one

    async def result_chunks(self, request_id: str, size: int) -> AsyncGenerator[bytes, None]:
        self.downloads += 1
        for one in self.pieces:
            if isinstance(one, ClientError):
                raise one
            yield one


def requests(calls: Calls, *, is_known: bool = True, limit_s: float = RETRY_LIMIT_S) -> ApiRequests:
    retries = Retries(limit_s)
    retries.is_known = is_known
    return ApiRequests(calls, retries)


async def test_a_wait_is_made_of_slices(looptime: float) -> None:
    calls = Calls(ends_at=100.0)
    assert await requests(calls).wait("id1") == DONE
    assert (calls.waits, looptime) == ([SLICE_S] * 4, 100.0)


async def test_a_wait_ends_in_its_time(looptime: float) -> None:
    calls = Calls(ends_at=1e9)
    with pytest.raises(RequestNotEndedError, match="id1 is in_queue after 70 s") as caught:
        await requests(calls).wait("id1", 70.0)
    assert caught.value.status == WAITING
    assert calls.waits[:3] == [30, 30, 10]
    assert looptime == 70.0


async def test_parts_of_a_second_are_waited_too(looptime: float) -> None:
    with pytest.raises(RequestNotEndedError):
        await requests(Calls(ends_at=1e9)).wait("id1", 1.5)
    assert looptime == 1.5


async def test_a_look_without_a_wait_costs_one_call(looptime: float) -> None:
    calls = Calls(ends_at=1e9)
    with pytest.raises(RequestNotEndedError):
        await requests(calls).wait("id1", 0.0)
    assert (calls.waits, looptime) == ([0], 0.0)


async def test_a_gateway_that_drains_is_not_asked_in_a_hurry() -> None:
    calls = Calls(ends_at=200.0)
    calls.drains_until = 60.0
    assert await requests(calls).wait("id1") == DONE
    # Pauses double up to 8 s, at least half of which is waited.
    assert len(calls.waits) < 6 + 60 / (CALL_BACKOFF.max_s / 2) + 6


async def test_a_wait_outlives_a_restart_of_the_gateway() -> None:
    calls = Calls(ends_at=50.0)
    calls.failures = [LOST, ABSENT, ABSENT, BUSY]
    assert await requests(calls).wait("id1") == DONE


async def test_a_gateway_that_hangs_is_left_soon_after_the_time(looptime: float) -> None:
    calls = Calls()
    calls.hangs = True
    with pytest.raises(GatewayLostError, match="said nothing of the request for 20 s"):
        await requests(calls).wait("id1", 20.0)
    assert looptime == 20.0 + LATE_S


async def test_what_was_known_is_told_when_the_gateway_hangs_later() -> None:
    calls = Calls(ends_at=1e9)

    async def wait() -> RequestStatus:
        return await requests(calls).wait("id1", 40.0)

    task = asyncio.create_task(wait())
    await asyncio.sleep(25.0)
    calls.hangs = True
    with pytest.raises(RequestNotEndedError, match="id1 is in_queue after 40 s"):
        await task


async def test_an_outage_that_lasts_ends_a_wait_without_a_time(looptime: float) -> None:
    calls = Calls()
    calls.failures = [LOST] * 10_000
    with pytest.raises(GatewayLostError):
        await requests(calls).wait("id1")
    assert RETRY_LIMIT_S - CALL_BACKOFF.max_s <= looptime <= RETRY_LIMIT_S


async def test_a_request_that_does_not_exist_is_told_at_once() -> None:
    calls = Calls()
    calls.failures = [REFUSED]
    with pytest.raises(RequestRefusedError):
        await requests(calls).wait("id1")


async def test_a_run_is_one_call_when_the_request_ends_soon(looptime: float) -> None:
    calls = Calls(ends_at=10.0)
    assert await requests(calls).run(b"x") == DONE
    assert (calls.waits, looptime) == ([SLICE_S], 10.0)


async def test_a_run_without_a_key_learns_the_id_first() -> None:
    calls = Calls(ends_at=10.0)
    assert await requests(calls).run(b"x", key="") == DONE
    assert calls.waits == [0, SLICE_S]


async def test_a_run_has_one_time_for_all_of_it(looptime: float) -> None:
    calls = Calls(ends_at=1e9)
    with pytest.raises(RequestNotEndedError):
        await requests(calls).run(b"x", 70.0)
    assert calls.waits[:3] == [30, 30, 10]
    assert looptime == 70.0


async def test_a_run_whose_submission_is_never_answered_ends_in_its_time(looptime: float) -> None:
    calls = Calls()
    calls.hangs = True
    with pytest.raises(GatewayLostError):
        await requests(calls).run(b"x", 5.0)
    assert looptime == 5.0 + LATE_S


async def test_events_go_on_after_a_lost_stream() -> None:
    calls = Calls()
    calls.streams = [[WAITING], [WAITING, LOST], [ABSENT], [RUNNING, RUNNING, DONE]]
    assert [one.state async for one in requests(calls).events("id1")] == ["in_queue", "in_progress", "completed"]


async def test_events_of_an_address_at_which_nothing_answers_are_an_error_at_once() -> None:
    calls = Calls()
    calls.streams = [[ABSENT]]
    with pytest.raises(GatewayAbsentError):
        await anext(requests(calls, is_known=False).events("id1"))


@pytest.mark.parametrize("limit_s", [RETRY_LIMIT_S, 60.0, 0.0])
async def test_events_outlast_an_outage_as_long_as_calls_do(looptime: float, limit_s: float) -> None:
    calls = Calls()
    outage: list[RequestStatus | ClientError] = [InvalidAnswerError("a load balancer")]
    calls.streams = [[WAITING], *[outage] * 10_000]
    with pytest.raises((InvalidAnswerError, GatewayLostError)):
        [one async for one in requests(calls, limit_s=limit_s).events("id1")]
    assert max(0.0, limit_s - following.RECONNECT_BACKOFF.max_s) <= looptime <= limit_s


@pytest.mark.parametrize("limit_s", [RETRY_LIMIT_S, 60.0, 0.0])
async def test_pieces_outlast_an_outage_as_long_as_calls_do(looptime: float, limit_s: float) -> None:
    calls = Calls()
    calls.end, calls.pieces = LARGE, [LOST]
    with pytest.raises(GatewayLostError):
        [one async for one in requests(calls, limit_s=limit_s).result_chunks("id1")]
    assert (len(calls.waits), calls.downloads > limit_s / CALL_BACKOFF.max_s) == (1, True)
    assert max(0.0, limit_s - CALL_BACKOFF.max_s) <= looptime <= limit_s
