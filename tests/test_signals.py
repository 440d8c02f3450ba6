"""What a test does with signals is over with it."""

import signal

import pytest


@pytest.mark.parametrize("time", ["first", "second"])
def test_signals_that_a_test_ignores_are_not_ignored_by_the_next_one(time: str) -> None:
    ignored = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) == signal.SIG_IGN]
    assert not ignored, time
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
