from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dequeuer.apis.scalars import Ambiguous, read_plain


@pytest.mark.parametrize(
    ("text", "value"),
    [
        *[(text, None) for text in ("", "~", "null", "Null", "NULL")],
        *[(text, True) for text in ("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON")],
        *[(text, False) for text in ("false", "no", "off")],
        ("0", 0), ("12", 12), ("+12", 12), ("-12", -12), ("1_000", 1000), ("0x1F", 31), ("0b11", 3), ("0o17", 15), ("-0x1", -1),
        ("1.5", 1.5), (".5", 0.5), ("5.", 5.0), ("1e3", 1000.0), ("1E-3", 0.001), ("-1.5e+3", -1500.0), ("1_0.5", 10.5),
        (".inf", math.inf), ("-.INF", -math.inf), ("1e999", math.inf),
        *[(text, text) for text in ("y", "n", "yEs", "nulL", "12:30", "1:2:3", "2001-01-01", "1.2.3", "1e", "-", "+", ".", "_1", "0x", "0o8", "0x_", "0b_", "=", "a", "-a", "1 2", ".5.", "1,000", "--1", "<<", "9" * 500 + "x")],
    ],
)  # fmt: skip
def test_a_plain_scalar(text: str, value: object) -> None:
    found = read_plain(text)
    assert found == value
    assert type(found) is type(value)


def test_nan_is_a_number() -> None:
    found = read_plain(".nan")
    assert isinstance(found, float)
    assert math.isnan(found)


@pytest.mark.parametrize("text", ["0755", "-010", "+00", "09", "0_7", "1" * 401, "1." + "1" * 400, "0x" + "f" * 400])
def test_what_readers_of_yaml_disagree_about_is_ambiguous(text: str) -> None:
    assert isinstance(read_plain(text), Ambiguous)


@given(st.text(alphabet="0123456789abcdefox_.:+-eE ~nulystr", max_size=20) | st.text(max_size=20))
def test_any_text_has_a_value(text: str) -> None:
    assert isinstance(read_plain(text), str | int | float | bool | Ambiguous | None)
