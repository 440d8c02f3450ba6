"""Many payloads: what becomes of each, in virtual time."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from dequeuer.client.errors import GatewayLostError, RefusedFault, RequestRefusedError
from dequeuer.client.mapping import map_payloads
from dequeuer.client.outcomes import RequestFailedError
from dequeuer.client.request_status import RequestStatus

pytestmark = pytest.mark.looptime


class Api:
    """Takes as many seconds for a payload as it is; what is not a number is treated as its name says."""

    def __init__(self) -> None:
        self.running = 0

    async def run(self, payload: Any) -> RequestStatus:
        self.running += 1
        try:
            await asyncio.sleep(payload if isinstance(payload, int) else 1)
        finally:
            self.running -= 1
        if payload == "refused":
            raise RequestRefusedError(413, [RefusedFault("payload_too_large", "it is too large")])
        if payload == "lost":
            raise GatewayLostError("lost")
        if payload == "unfit":
            raise TypeError("no JSON for this")
        state = "failed" if payload == "failed" else "completed"
        result = None if state == "failed" else b"%d" % payload
        return RequestStatus(fields={}, id=f"id-{payload}", state=state, result_json=result)


async def test_outcomes_come_in_the_order_of_the_payloads_or_as_they_are_there() -> None:
    api = Api()
    outcomes = [one async for one in map_payloads([4, 2, 3], api.run)]
    assert [(one.index, one.payload, one.result()) for one in outcomes] == [(0, 4, 4), (1, 2, 2), (2, 3, 3)]
    outcomes = [one async for one in map_payloads(iter([4, 2, 3]), api.run, ordered=False)]
    assert [(one.index, one.payload, one.result()) for one in outcomes] == [(1, 2, 2), (2, 3, 3), (0, 4, 4)]


async def test_an_error_of_one_payload_is_its_outcome() -> None:
    outcomes = [one async for one in map_payloads([1, "failed", "refused", "unfit", 2], Api().run)]
    assert [type(one.error) for one in outcomes] == [
        type(None),
        RequestFailedError,
        RequestRefusedError,
        TypeError,
        type(None),
    ]
    assert [one.status.state if one.status else None for one in outcomes] == [
        "completed",
        "failed",
        None,
        None,
        "completed",
    ]
    with pytest.raises(RequestFailedError, match="request id-failed failed"):
        outcomes[1].result()


async def test_the_first_error_ends_all_when_that_is_wanted() -> None:
    api = Api()
    with pytest.raises(RequestFailedError):
        [one async for one in map_payloads([9, "failed", 9], api.run, ordered=False, stop_on_error=True)]
    assert api.running == 0


async def test_a_gateway_that_is_away_is_no_error_of_a_payload() -> None:
    api = Api()
    with pytest.raises(GatewayLostError):
        [one async for one in map_payloads([9, "lost", 9], api.run, ordered=False)]
    assert api.running == 0


async def test_a_caller_that_leaves_ends_the_waits() -> None:
    api = Api()
    async with aclosing(map_payloads([1, 9, 9, 9, 9], api.run, concurrency=3)) as outcomes:
        assert (await anext(outcomes)).payload == 1
        assert api.running > 0
    assert api.running == 0


async def test_a_concurrency_of_none_is_refused() -> None:
    with pytest.raises(ValueError, match="concurrency is 0; allowed: 1 or more"):
        await anext(map_payloads([1], Api().run, concurrency=0))
