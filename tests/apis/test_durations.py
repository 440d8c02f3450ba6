from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from dequeuer.apis.durations import Duration, Window

DURATION: TypeAdapter[float] = TypeAdapter(Duration)
WINDOW: TypeAdapter[float] = TypeAdapter(Window)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("60s", 60), ("5m", 300), ("1h30m", 5400), ("1.5h", 5400), ("0", 0), ("0s", 0), ("+1s", 1), ("100ms", 0.1), ("0.1s", 0.1), ("1us", 1e-6), ("1\u00b5s", 1e-6), ("1\u03bcs", 1e-6), ("1ns", 1e-9), ("1.s", 1), ("1m1m", 120), ("2562047h", 9223369200)],
)  # fmt: skip
def test_a_duration_is_in_seconds(text: str, seconds: float) -> None:
    assert DURATION.validate_python(text) == seconds


@pytest.mark.parametrize("bad", ["", "1", "s", "-1s", "1d", "1 s", "1s ", "1m 1s", "1,5s", "1sm", "+", "+-1s", "1e3s", "2562048h", "9" * 25 + "s", "1s" * 100, 60, None, True])  # fmt: skip
def test_what_is_no_duration(bad: object) -> None:
    with pytest.raises(ValidationError):
        DURATION.validate_python(bad)


def test_a_window_is_a_multiple_of_ten_seconds() -> None:
    assert WINDOW.validate_python("1m10s") == 70
    for bad in ("0s", "9s", "15s", "10.5s", "60"):
        with pytest.raises(ValidationError):
            WINDOW.validate_python(bad)


@given(st.integers(0, 10**9), st.sampled_from(["s", "ms"]))
def test_whole_numbers_are_exact(number: int, unit: str) -> None:
    assert DURATION.validate_python(f"{number}{unit}") == (number if unit == "s" else number / 1000)
