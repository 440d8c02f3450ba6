"""What is asked again, when, and for how long; in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from dequeuer.client.errors import (
    AnswerTooLargeError,
    ClientError,
    GatewayAbsentError,
    GatewayBusyError,
    GatewayLostError,
    InvalidAnswerError,
    RefusedFault,
    RequestRefusedError,
    TooManyRequestsError,
)
from dequeuer.client.retrying import CALL_BACKOFF, RETRY_LIMIT_S, Retries
from tests.client.pauses import repeat_calls_at_once

pytestmark = pytest.mark.looptime

ABSENT, BUSY, LOST = GatewayAbsentError("absent"), GatewayBusyError("busy"), GatewayLostError("lost")
THROTTLED = TooManyRequestsError("too many", 5.0)
REFUSED, INVALID = RequestRefusedError(400, [RefusedFault("bad", "bad")]), InvalidAnswerError("no gateway")


class Call:
    """Raises these errors, one a call, the last one again and again; None: it succeeds."""

    def __init__(self, *outcomes: ClientError | None) -> None:
        self._outcomes = list(outcomes)
        self.times: list[float] = []

    async def __call__(self) -> str:
        self.times.append(asyncio.get_running_loop().time())
        outcome = self._outcomes.pop(0) if len(self._outcomes) > 1 else self._outcomes[0]
        if outcome is not None:
            raise outcome
        return "done"


@pytest.fixture
def retries() -> Retries:
    made = Retries()
    made.is_known = True
    return made


async def test_a_gateway_that_cannot_be_used_is_asked_again(retries: Retries) -> None:
    call = Call(ABSENT, BUSY, LOST, THROTTLED, None)
    assert await retries.call(call) == "done"
    assert len(call.times) == 5


async def test_the_time_that_the_gateway_asks_for_is_waited(retries: Retries, looptime: float) -> None:
    call = Call(GatewayBusyError("busy", 20.0), THROTTLED, None)
    await retries.call(call)
    assert 25.0 <= looptime < 25.0 + CALL_BACKOFF.max_s


async def test_it_is_asked_for_a_limited_time(retries: Retries, looptime: float) -> None:
    call = Call(LOST)
    with pytest.raises(GatewayLostError):
        await retries.call(call)
    assert RETRY_LIMIT_S - CALL_BACKOFF.max_s <= call.times[-1] <= RETRY_LIMIT_S
    assert looptime == call.times[-1]


async def test_the_time_counts_from_the_first_failure() -> None:
    retries = Retries(limit_s=10.0)
    retries.is_known = True

    async def slow() -> None:
        await asyncio.sleep(60.0)
        if asyncio.get_running_loop().time() < 100.0:
            raise LOST

    await retries.call(slow)


@pytest.mark.parametrize(("takes_s", "calls"), [(60.0, 1), (4.0, 3)])
async def test_the_time_of_a_question_counts_from_its_begin(
    monkeypatch: pytest.MonkeyPatch, looptime: float, takes_s: float, calls: int
) -> None:
    repeat_calls_at_once(monkeypatch)
    retries, call = Retries(limit_s=10.0, from_begin=True), Call(LOST)

    async def slow() -> None:
        await asyncio.sleep(takes_s)
        await call()

    with pytest.raises(GatewayLostError):
        await retries.call(slow)
    assert (looptime, len(call.times)) == (calls * takes_s, calls)


@pytest.mark.parametrize("error", [REFUSED, INVALID])
async def test_what_will_be_refused_again_is_not_asked_again(retries: Retries, error: ClientError) -> None:
    call = Call(error, None)
    with pytest.raises(type(error)):
        await retries.call(call)
    assert len(call.times) == 1


async def test_an_address_at_which_nothing_ever_answered_is_told_at_once() -> None:
    retries = Retries()
    call = Call(ABSENT, None)
    with pytest.raises(GatewayAbsentError):
        await retries.call(call)
    assert len(call.times) == 1
    assert await retries.call(Call(BUSY, ABSENT, None)) == "done"


@pytest.mark.parametrize("error", [REFUSED, AnswerTooLargeError("more than 8 bytes")])
async def test_a_gateway_whose_answer_is_an_error_of_the_call_is_known(error: ClientError) -> None:
    retries = Retries()
    with pytest.raises(type(error)):
        await retries.call(Call(error))
    assert await retries.call(Call(ABSENT, None)) == "done"


async def test_what_must_not_be_done_twice_is_asked_again_only_when_nothing_was_done(retries: Retries) -> None:
    assert await retries.call_once(Call(ABSENT, THROTTLED, None)) == "done"
    for error in (BUSY, LOST):
        call = Call(error, None)
        with pytest.raises(type(error)):
            await retries.call_once(call)
        assert len(call.times) == 1
