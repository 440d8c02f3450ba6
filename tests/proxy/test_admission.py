"""Which requests begin, wait and are rejected. Time is a number."""

from __future__ import annotations

import pytest

from dequeuer.concurrency.slots import SlotResult
from dequeuer.proxy.admission import Admission, QueueFullError, RejectionReason


class Limit:
    """`ConcurrencyLimit` that a test changes."""

    def __init__(self, value: int) -> None:
        self.value = value
        self.calls: list[tuple[float, int, float, SlotResult] | tuple[float, int]] = []

    def slot_acquired(self, now: float, busy: int) -> None:
        self.calls.append((now, busy))

    def slot_released(self, now: float, busy: int, took_s: float, result: SlotResult) -> None:
        self.calls.append((now, busy, took_s, result))


class Request:
    """`Waiter` that keeps what it is told."""

    def __init__(self, stand: Stand) -> None:
        self._stand = stand
        self.told: list[str] = []
        self.ends_at_once = False

    def admitted(self) -> None:
        self.told.append("admitted")
        if self.ends_at_once:
            self._stand.admission.leave(self, "refused")

    def rejected(self, reason: RejectionReason) -> None:
        self.told.append(reason)


class Stand:
    def __init__(
        self, concurrency: int = 1, queued: int = 2, queue_timeout_s: float = 0, *, ready: bool = True
    ) -> None:
        self.now = 100.0
        self.limit = Limit(concurrency)
        self.admission = Admission(
            limit=self.limit,
            max_queued=queued,
            queue_timeout_s=queue_timeout_s,
            ready_timeout_s=10,
            now=lambda: self.now,
        )
        self.admission.set_ready(ready)

    def enter(self) -> Request:
        request = Request(self)
        if self.admission.enter(request):
            request.told.append("at once")
        return request

    @property
    def counts(self) -> tuple[int, int]:
        return self.admission.executing, self.admission.queued


def test_those_that_wait_begin_in_the_order_in_which_they_came() -> None:
    stand = Stand(queued=3)
    first, second, third, fourth = (stand.enter() for _ in range(4))
    assert (first.told, stand.counts) == (["at once"], (1, 3))
    stand.admission.leave(third, "unknown")  # its client left
    stand.admission.leave(first, "succeeded")
    assert (second.told, third.told, fourth.told) == (["admitted"], [], [])
    stand.admission.leave(second, "succeeded")
    assert (fourth.told, stand.counts) == (["admitted"], (1, 0))


def test_more_than_both_numbers_are_refused() -> None:
    stand = Stand(concurrency=2, queued=1)
    for _ in range(3):
        stand.enter()
    with pytest.raises(QueueFullError):
        stand.enter()
    assert stand.counts == (2, 1)


def test_nobody_waits_where_nobody_may() -> None:
    stand = Stand(queued=0)
    first = stand.enter()
    with pytest.raises(QueueFullError):
        stand.enter()
    stand.admission.leave(first, "succeeded")
    assert stand.enter().told == ["at once"]


def test_a_request_that_leaves_twice_frees_one_slot() -> None:
    stand = Stand()
    first, second, third = stand.enter(), stand.enter(), stand.enter()
    stand.admission.leave(first, "succeeded")
    stand.admission.leave(first, "succeeded")
    assert (second.told, third.told) == (["admitted"], [])


def test_a_request_waits_no_longer_than_allowed() -> None:
    stand = Stand(queue_timeout_s=5)
    _, second = stand.enter(), stand.enter()
    stand.now += 3
    third = stand.enter()
    stand.now += 2
    stand.admission.expire()
    assert (second.told, third.told, stand.counts) == (["queue_timeout"], [], (1, 1))
    stand.now += 3
    stand.admission.expire()
    assert (third.told, stand.counts) == (["queue_timeout"], (1, 0))


def test_without_a_limit_a_request_waits_for_ever() -> None:
    stand = Stand()
    stand.enter()
    second = stand.enter()
    stand.now += 1e6
    stand.admission.expire()
    assert second.told == []


def test_all_wait_until_the_container_is_ready() -> None:
    stand = Stand(concurrency=2, queued=1, ready=False)
    requests = [stand.enter() for _ in range(3)]
    assert stand.counts == (0, 3)
    with pytest.raises(QueueFullError):
        stand.enter()
    stand.admission.set_ready(True)
    assert [request.told for request in requests] == [["admitted"], ["admitted"], []]


def test_a_request_waits_for_readiness_for_a_bounded_time() -> None:
    stand = Stand(concurrency=2, ready=False)
    first = stand.enter()
    stand.now += 6
    second = stand.enter()
    stand.now += 4
    stand.admission.expire()
    assert (first.told, second.told) == (["not_ready"], [])
    stand.now += 6
    stand.admission.expire()
    assert second.told == ["not_ready"]


def test_the_time_for_readiness_counts_from_when_it_was_lost() -> None:
    stand = Stand()
    first = stand.enter()
    second = stand.enter()
    stand.now += 60
    stand.admission.set_ready(False)
    stand.admission.leave(first, "failed")
    stand.now += 9
    stand.admission.expire()
    assert second.told == []
    stand.now += 1
    stand.admission.expire()
    assert second.told == ["not_ready"]


def test_what_is_executed_goes_on_while_the_container_is_not_ready() -> None:
    stand = Stand()
    stand.enter()
    stand.admission.set_ready(False)
    stand.now += 100
    stand.admission.expire()
    assert stand.counts == (1, 0)


def test_a_lower_limit_holds_once_enough_have_ended() -> None:
    stand = Stand(concurrency=3, queued=9)
    running = [stand.enter() for _ in range(3)]
    waiting = stand.enter()
    stand.limit.value = 1
    for request in running[:2]:
        stand.admission.leave(request, "succeeded")
    assert waiting.told == []
    stand.admission.leave(running[2], "succeeded")
    assert waiting.told == ["admitted"]


def test_a_higher_limit_admits_several_at_the_next_end() -> None:
    stand = Stand(concurrency=1, queued=9)
    first = stand.enter()
    waiting = [stand.enter() for _ in range(3)]
    stand.limit.value = 3
    stand.admission.leave(first, "succeeded")
    assert [request.told for request in waiting] == [["admitted"]] * 3


def test_requests_that_end_at_once_do_not_grow_the_stack() -> None:
    stand = Stand(queued=20_000)
    first = stand.enter()
    for _ in range(20_000):
        stand.enter().ends_at_once = True
    stand.admission.leave(first, "succeeded")
    assert stand.counts == (0, 0)


def test_the_limit_is_told_each_begin_and_end() -> None:
    stand = Stand(concurrency=2)
    first = stand.enter()
    stand.now += 1
    second = stand.enter()
    stand.now += 1
    stand.admission.leave(first, "refused")
    stand.admission.leave(second, "succeeded")
    assert stand.limit.calls == [(100, 1), (101, 2), (102, 1, 2, "refused"), (102, 0, 1, "succeeded")]
