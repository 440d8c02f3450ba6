"""Thresholds against an independent model of the kubelet's, and the gate's timing in virtual time."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dequeuer.core.events import GateChanged, Probed
from dequeuer.probes.base import Probe, ProbeResult, ProbeTiming
from dequeuer.probes.gate import CHECK_TIMEOUT_MARGIN_S, Gate, ProbeState
from tests.fakes import Recorder

OK, BAD = ProbeResult(ok=True, detail="fine"), ProbeResult(ok=False, detail="refused")


@dataclass
class ScriptedProbe:
    """Returns or raises its steps in turn, each after `takes_s`; the last one is repeated."""

    steps: list[ProbeResult | BaseException]
    timing: ProbeTiming = field(default_factory=ProbeTiming)
    name: str = "web:fake"
    takes_s: float = 0.0
    started: list[float] = field(default_factory=list)
    running: int = 0
    overlapped: bool = False

    async def check(self) -> ProbeResult:
        self.started.append(asyncio.get_running_loop().time())
        self.running += 1
        self.overlapped |= self.running > 1
        try:
            await asyncio.sleep(self.takes_s)
        finally:
            self.running -= 1
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        if isinstance(step, BaseException):
            raise step
        return step


@asynccontextmanager
async def running(*probes: Probe) -> AsyncIterator[tuple[Gate, Recorder]]:
    seen = Recorder()
    gate = Gate(probes, seen)
    task = asyncio.create_task(gate.run())
    try:
        yield gate, seen
    finally:
        assert not task.done(), "the gate's run ended by itself"
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task


def every_s(period: float, **timing: Any) -> ProbeTiming:
    return ProbeTiming(period_s=period, startup_period_s=period, **timing)


def modelled(results: list[bool], success: int, failure: int) -> list[bool]:
    """Return the kubelet's state after each result: it changes with the result that reaches the threshold in a row."""
    states: list[bool] = []
    state = False
    for result, run in groupby(results):
        for length, _ in enumerate(run, start=1):
            if length >= (success if result else failure):
                state = result
            states.append(state)
    return states


# --- thresholds


@given(results=st.lists(st.booleans(), max_size=40), success=st.integers(1, 5), failure=st.integers(1, 5))
def test_thresholds_are_the_kubelets(results: list[bool], success: int, failure: int) -> None:
    state = ProbeState(ProbeTiming(success_threshold=success, failure_threshold=failure))
    states, changes = [], []
    assert not state.healthy
    for result in results:
        changes.append(state.record(ok=result))
        states.append(state.healthy)
    assert states == modelled(results, success, failure)
    before = [False, *states][: len(states)]
    assert changes == [
        index == 0 or was is not now for index, (was, now) in enumerate(zip(before, states, strict=True))
    ]


def test_a_result_of_the_other_kind_starts_the_count_again() -> None:
    state = ProbeState(ProbeTiming(success_threshold=1, failure_threshold=3))
    results = (True, False, False, True, False, False, False)
    assert [(state.record(ok=ok), state.healthy)[1] for ok in results] == [True, True, True, True, True, True, False]


# --- timing


@pytest.mark.looptime
async def test_the_first_probe_runs_right_after_the_initial_delay(looptime: Any) -> None:
    probe = ScriptedProbe([OK], ProbeTiming(initial_delay_s=7))
    async with running(probe) as (gate, _):
        await gate.wait_open()
        assert looptime == 7
        assert probe.started == [7]


@pytest.mark.looptime
async def test_start_up_is_probed_faster_until_the_first_success() -> None:
    probe = ScriptedProbe([BAD, BAD, BAD, OK], ProbeTiming(period_s=10, startup_period_s=1, initial_delay_s=2))
    async with running(probe):
        await asyncio.sleep(30)
    assert probe.started == [2, 3, 4, 5, 15, 25]


@pytest.mark.looptime
async def test_failing_again_does_not_bring_the_start_up_period_back() -> None:
    probe = ScriptedProbe([OK, BAD, BAD, BAD, OK], ProbeTiming(period_s=10, startup_period_s=0.1))
    async with running(probe):
        await asyncio.sleep(45)
    assert probe.started == [0, 10, 20, 30, 40]


@pytest.mark.looptime
async def test_a_period_shorter_than_the_start_up_period_is_kept() -> None:
    probe = ScriptedProbe([BAD], ProbeTiming(period_s=0.5, startup_period_s=1))
    async with running(probe):
        await asyncio.sleep(1.6)
    assert probe.started == [0, 0.5, 1, 1.5]


@pytest.mark.looptime
async def test_the_period_runs_from_start_to_start() -> None:
    probe = ScriptedProbe([OK], every_s(2, timeout_s=1), takes_s=0.75)
    async with running(probe):
        await asyncio.sleep(7)
    assert probe.started == [0, 2, 4, 6]


@pytest.mark.looptime
async def test_a_check_that_outlasts_its_period_is_followed_at_once_and_never_overlapped() -> None:
    probe = ScriptedProbe([OK], every_s(1, timeout_s=5), takes_s=3)
    async with running(probe):
        await asyncio.sleep(10)
    assert probe.started == [0, 3, 6, 9]
    assert not probe.overlapped


@pytest.mark.looptime
async def test_a_check_that_hangs_is_cancelled_and_fails(looptime: Any) -> None:
    probe = ScriptedProbe([OK], every_s(1, timeout_s=2, failure_threshold=1), takes_s=1e6)
    async with running(probe) as (gate, seen):
        await asyncio.sleep(2 + CHECK_TIMEOUT_MARGIN_S + 0.5)
        assert not gate.is_open
    assert [(event.ok, event.detail) for event in seen.of(Probed)] == [(False, "TimeoutError")]
    assert probe.started == [0, 2 + CHECK_TIMEOUT_MARGIN_S]


@pytest.mark.looptime
async def test_probes_run_side_by_side() -> None:
    slow = ScriptedProbe([OK], every_s(5, timeout_s=4), name="slow:fake", takes_s=4)
    quick = ScriptedProbe([OK], every_s(1), name="quick:fake")
    async with running(slow, quick) as (gate, _):
        await asyncio.sleep(3.5)
        assert quick.started == [0, 1, 2, 3]
        assert not gate.is_open
        await asyncio.sleep(1)
        assert gate.is_open


# --- the gate


@pytest.mark.looptime
async def test_the_gate_opens_with_the_last_probe_and_closes_with_the_first(looptime: Any) -> None:
    first = ScriptedProbe([OK, OK, OK, OK, BAD], every_s(1, failure_threshold=2), name="first:fake")
    second = ScriptedProbe([BAD, BAD, OK], every_s(1), name="second:fake")
    async with running(first, second) as (gate, seen):
        assert not gate.is_open
        await gate.wait_open()
        assert looptime == 2
        await gate.wait_closed()
        assert looptime == 5  # the failures at 4 and 5
        assert not gate.is_open
    assert seen.of(GateChanged) == [GateChanged(is_open=True), GateChanged(is_open=False)]


@pytest.mark.looptime
async def test_every_run_is_reported_and_changes_are_marked() -> None:
    odd = ProbeResult(ok=True, detail="HTTP 302", warning=True)
    probe = ScriptedProbe([BAD, BAD, odd, OK, BAD, BAD], every_s(1, failure_threshold=2))
    async with running(probe) as (_, seen):
        await asyncio.sleep(5.5)
    probed = [(event.ok, event.healthy, event.changed, event.detail, event.warning) for event in seen.of(Probed)]
    assert probed == [
        (False, False, True, "refused", False),  # the first result
        (False, False, False, "refused", False),
        (True, True, True, "HTTP 302", True),
        (True, True, False, "fine", False),
        (False, True, False, "refused", False),
        (False, False, True, "refused", False),
    ]
    assert {event.probe for event in seen.of(Probed)} == {"web:fake"}


@pytest.mark.looptime
async def test_a_gate_without_probes_is_open_and_runs_until_cancelled() -> None:
    assert Gate([], Recorder()).is_open
    async with running() as (gate, seen):
        await gate.wait_open()
        await asyncio.sleep(100)
        assert gate.is_open
    assert seen.events == [GateChanged(is_open=True)]


@pytest.mark.looptime
async def test_waiting_for_a_state_that_is_there_returns_at_once(looptime: Any) -> None:
    async with running(ScriptedProbe([OK])) as (gate, _):
        await gate.wait_closed()
        await gate.wait_open()
        await gate.wait_open()
        assert looptime == 0


@pytest.mark.looptime
async def test_waiters_see_a_gate_that_was_open_only_for_a_moment() -> None:
    seen = Recorder()
    gate = Gate([ScriptedProbe([OK, BAD], every_s(1, failure_threshold=1))], seen)
    waiters = [asyncio.create_task(gate.wait_open()) for _ in range(3)]
    run = asyncio.create_task(gate.run())
    await gate.wait_open()
    await gate.wait_closed()
    await asyncio.gather(*waiters)
    assert not gate.is_open
    run.cancel()
    await asyncio.gather(run, return_exceptions=True)


@pytest.mark.looptime
async def test_a_cancelled_waiter_does_not_disturb_the_others(looptime: Any) -> None:
    async with running(ScriptedProbe([OK], ProbeTiming(initial_delay_s=3))) as (gate, _):
        impatient = asyncio.create_task(gate.wait_open())
        patient = asyncio.create_task(gate.wait_open())
        await asyncio.sleep(1)
        impatient.cancel()
        await patient
        assert looptime == 3
        assert impatient.cancelled()


# --- bugs and cancellation


@pytest.mark.looptime
async def test_an_exception_in_a_check_is_a_failure_and_probing_continues() -> None:
    secret = KeyError("Bearer abc")
    probe = ScriptedProbe([OK, secret, OK], every_s(1, failure_threshold=1))
    async with running(probe) as (gate, seen):
        await asyncio.sleep(1.5)
        states = [gate.is_open]
        await asyncio.sleep(1)
        states.append(gate.is_open)
    assert states == [False, True]
    assert [(event.ok, event.detail) for event in seen.of(Probed)] == [
        (True, "fine"),
        (False, "KeyError"),
        (True, "fine"),
    ]


@pytest.mark.looptime
async def test_a_stray_cancellation_does_not_end_the_probing() -> None:
    probe = ScriptedProbe([OK, asyncio.CancelledError(), OK], every_s(1, failure_threshold=1))
    async with running(probe) as (gate, seen):
        await asyncio.sleep(1.5)
        states = [gate.is_open]
        await asyncio.sleep(1)
        states.append(gate.is_open)
    assert states == [False, True]
    assert [event.detail for event in seen.of(Probed)] == ["fine", "CancelledError", "fine"]


@pytest.mark.looptime
@pytest.mark.parametrize("at", [0.5, 1.5, 2.5], ids=["initial delay", "check", "pause"])
async def test_cancelling_the_run_ends_every_task(at: float) -> None:
    probe = ScriptedProbe([OK], ProbeTiming(initial_delay_s=1), takes_s=1)
    run = asyncio.create_task(Gate([probe, probe], Recorder()).run())
    await asyncio.sleep(at)
    names = {task.get_name() for task in asyncio.all_tasks()}
    assert "probe:web:fake" in names
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run
    assert probe.running == 0
    assert asyncio.all_tasks() == {asyncio.current_task()}


@pytest.mark.looptime
async def test_an_observer_that_raises_ends_the_run_loudly() -> None:
    def broken(event: object) -> None:
        raise RuntimeError(type(event).__name__)

    with pytest.raises(ExceptionGroup) as caught:
        await Gate([ScriptedProbe([OK])], broken).run()
    assert [str(error) for error in flat(caught.value.exceptions)] == ["Probed"]


# --- a request that cannot connect


@pytest.mark.looptime
async def test_a_failed_connection_closes_the_gate_at_once_and_start_up_is_probed_again(looptime: Any) -> None:
    probe = ScriptedProbe([OK, BAD, BAD, OK], timing=ProbeTiming(period_s=10, failure_threshold=3))
    async with running(probe) as (gate, seen):
        await gate.wait_open()
        await asyncio.sleep(2.5)
        gate.connection_failed()
        assert not gate.is_open
        await gate.wait_open()
        # Not at 10, 20 and 30 s, when the probe alone would have detected it.
        assert probe.started == [0, 2.5, 3.5, 4.5]
        assert looptime == 4.5
        await asyncio.sleep(15)
        assert probe.started[4:] == [14.5]
    assert [event.is_open for event in seen.of(GateChanged)] == [True, False, True]


@pytest.mark.looptime
async def test_a_check_that_had_begun_before_the_connection_failed_does_not_open_the_gate(looptime: Any) -> None:
    probe = ScriptedProbe([OK, OK, BAD, OK], timing=every_s(10), takes_s=1)
    async with running(probe) as (gate, _):
        await gate.wait_open()
        await asyncio.sleep(9.5)
        assert probe.running == 1
        gate.connection_failed()
        await gate.wait_open()
        assert probe.started == [0, 10, 11, 21]
        assert looptime == 22


@pytest.mark.looptime
async def test_every_probe_must_succeed_again_as_often_as_for_a_new_container() -> None:
    fast = ScriptedProbe([OK], timing=every_s(1))
    slow = ScriptedProbe([OK], timing=ProbeTiming(period_s=5, success_threshold=3))
    async with running(fast, slow) as (gate, _):
        await gate.wait_open()
        await asyncio.sleep(2.5)
        failed_at = asyncio.get_running_loop().time()
        gate.connection_failed()
        gate.connection_failed()
        await gate.wait_open()
        assert asyncio.get_running_loop().time() - failed_at == 10


@pytest.mark.looptime
async def test_without_a_probe_nothing_could_open_the_gate_again() -> None:
    async with running() as (gate, _):
        await gate.wait_open()
        gate.connection_failed()
        assert gate.is_open


def flat(errors: Iterable[Exception]) -> list[Exception]:
    return [
        leaf for error in errors for leaf in (flat(error.exceptions) if isinstance(error, ExceptionGroup) else [error])
    ]
