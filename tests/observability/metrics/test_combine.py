from __future__ import annotations

from typing import NoReturn

import pytest
import structlog

from dequeuer.core.events import Event, GateChanged
from dequeuer.observability.metrics import combine
from tests.fakes import Recorder

EVENT = GateChanged(is_open=True)


class Broken:
    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, event: Event) -> None:
        self.calls += 1
        message = "out of\norder"
        raise RuntimeError(message)


def test_all_observers_get_every_event_in_order() -> None:
    first, second = Recorder(), Recorder()
    both = combine(first, second)
    both(EVENT)
    both(GateChanged(is_open=False))
    assert first.events == second.events == [EVENT, GateChanged(is_open=False)]


def test_an_observer_that_raises_is_logged_once_and_does_not_stop_the_others() -> None:
    broken, other = Broken(), Recorder()
    both = combine(broken, other)
    with structlog.testing.capture_logs() as lines:
        for _ in range(100):
            both(EVENT)
    assert broken.calls == 100, "it may recover"
    assert len(other.events) == 100
    assert lines == [
        {
            "event": "observer_failed",
            "log_level": "error",
            "observer": "Broken",
            "on": "GateChanged",
            "error": "RuntimeError: out of\N{REPLACEMENT CHARACTER}order",
        }
    ]


def test_each_broken_observer_has_its_own_line() -> None:
    both = combine(Broken(), Broken())
    with structlog.testing.capture_logs() as lines:
        both(EVENT)
        both(EVENT)
    assert len(lines) == 2


def test_an_event_log_that_raises_does_not_stop_the_others() -> None:
    def closed(*_: object) -> NoReturn:
        raise BrokenPipeError

    other = Recorder()
    structlog.configure(processors=[closed])
    try:
        combine(Broken(), other)(EVENT)
    finally:
        structlog.reset_defaults()
    assert other.events == [EVENT]


def test_cancellation_in_an_observer_is_passed_on() -> None:
    def interrupted(event: Event) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        combine(interrupted)(EVENT)
