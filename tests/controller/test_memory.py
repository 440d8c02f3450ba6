from __future__ import annotations

from dequeuer.controller.launchers.base import ENQUEUER, ProcessState
from dequeuer.controller.memory import GONE_LOOKS, QueueLooks, Runs

DEAD = ProcessState(phase="failed")
READY = ProcessState(phase="ready", was_ready=True)


def test_a_run_is_counted_once_and_its_successor_waits_longer_each_time() -> None:
    runs, pauses, now_s = Runs(), [], 0.0
    for failures in range(1, 7):
        runs.started("worker-0", now_s)
        runs.update({"worker-0": DEAD}, 0, now_s)
        runs.update({"worker-0": DEAD}, 0, now_s)
        assert runs.worker_failures == failures
        began_s = now_s
        while "worker-0" in runs.waiting(now_s):
            now_s += 0.01
        pauses.append(now_s - began_s)
    assert pauses[0] <= 0.51
    assert 8 <= pauses[-1] <= 16.1


def test_a_long_run_is_followed_at_once() -> None:
    runs = Runs()
    runs.started("worker-0", 0)
    runs.update({"worker-0": DEAD}, 0, 100)
    assert runs.waiting(100) == frozenset()


def test_a_ready_worker_forgives_the_failures_of_all() -> None:
    runs = Runs()
    runs.started("worker-0", 0)
    runs.update({"worker-0": DEAD}, 0, 1)
    runs.update({"worker-0": DEAD, "worker-1": READY}, 0, 2)
    assert runs.worker_failures == 0


def test_an_enqueuer_that_got_further_has_not_failed_in_vain() -> None:
    runs = Runs()
    for batches in (5, 5, 6):
        runs.started(ENQUEUER, 0)
        runs.update({ENQUEUER: DEAD}, batches, 0)
    assert runs.enqueuer_failures == 1


def test_a_queue_is_empty_when_every_look_says_so_for_long_enough() -> None:
    looks = QueueLooks(10)
    looks.update(0, 100, is_sent=True)
    assert not looks.is_empty_for_long(109)
    looks.update(0, 110, is_sent=True)
    assert looks.is_empty_for_long(110)
    assert not looks.is_empty_for_long(110, factor=6)
    looks.update(1, 111, is_sent=True)
    looks.update(0, 112, is_sent=True)
    assert not looks.is_empty_for_long(121)


def test_a_queue_into_which_not_everything_was_sent_is_not_empty() -> None:
    looks = QueueLooks(10)
    looks.update(0, 100, is_sent=False)
    looks.update(0, 120, is_sent=True)
    assert not looks.is_empty_for_long(129)
    assert looks.is_empty_for_long(130)


def test_a_queue_is_gone_when_several_looks_in_a_row_say_so() -> None:
    looks = QueueLooks(10)
    for _ in range(GONE_LOOKS - 1):
        looks.update(None, 0, is_sent=True)
    assert not looks.is_gone_for_long
    looks.update(0, 0, is_sent=True)
    for _ in range(GONE_LOOKS):
        looks.update(None, 0, is_sent=True)
    assert looks.is_gone_for_long
