from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dequeuer.formats.retry_after import parse_retry_after

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        (None, None), ("", None), ("soon", None), ("-5", None), ("1.5", None), ("\u0665", None), ("1 2", None), ("0", 0), ("7", 7),
        (" 7\t", 7), ("007", 7), ("99999", 1000), ("9" * 5000, 1000), ("0" * 5000 + "3", 3),
        (formatdate(NOW + 60, usegmt=True), 60), (formatdate(NOW - 60, usegmt=True), 0), (formatdate(NOW + 10**8, usegmt=True), 1000),
        ("Tuesday, 14-Nov-23 22:14:20 GMT", 60), ("Tue Nov 14 22:14:20 2023", 60), ("Tue, 99 Nov 2023 22:14:20 GMT", None),
    ],
)  # fmt: skip
def test_seconds_and_the_three_forms_of_a_date(value: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, now=NOW, limit_s=1000) == seconds


@given(st.text())
def test_any_text_is_an_answer_within_the_limits_or_none(value: str) -> None:
    seconds = parse_retry_after(value, now=NOW, limit_s=1000)
    assert seconds is None or 0 <= seconds <= 1000


@given(st.integers(min_value=0))
def test_seconds_come_out_as_they_are_up_to_the_limit(seconds: int) -> None:
    assert parse_retry_after(str(seconds)[:4000], now=NOW, limit_s=1000) == min(int(str(seconds)[:4000]), 1000)
