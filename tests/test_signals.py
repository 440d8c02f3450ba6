"""What a test does with signals is over with it."""

import signal

import pytest

AT_FIRST = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
"""Perhaps ignored already: a shell starts what runs in the background so."""


@pytest.mark.parametrize("time", ["first", "second"])
def test_signals_that_a_test_handles_in_another_way_are_handled_as_before_in_the_next_one(time: str) -> None:
    assert {number: signal.getsignal(number) for number in AT_FIRST} == AT_FIRST, time
    for number, handler in AT_FIRST.items():
        signal.signal(number, signal.SIG_DFL if handler == signal.SIG_IGN else signal.SIG_IGN)
