from __future__ import annotations

import pytest

from dequeuer.formats.time_text import parse_moment, parse_span


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30.0),
        ("0.5", 0.5),
        (" 30s\t", 30.0),
        ("250ms", 0.25),
        ("1h30m", 5400.0),
        ("", None),
        ("-1", None),
        ("5 m", None),
        ("m", None),
        ("5d", None),
        ("1e3", None),
        ("\N{ARABIC-INDIC DIGIT FIVE}s", None),
        ("1s" * 40, None),
    ],
)
def test_a_time_from_now_is_seconds_or_has_units(text: str, seconds: float | None) -> None:
    assert parse_span(text) == seconds


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-02T00:00:00Z", 86400.0),
        ("1970-01-02t01:00:00.5+01:00", 86400.5),
        ("Fri, 02 Jan 1970 00:00:00 GMT", 86400.0),
        ("Fri, 02 Jan 1970 00:00:00", 86400.0),
        ("9999-12-31T23:59:59Z", 253_402_300_799.0),
        ("9999-12-31T23:59:59.999999999Z", None),
        ("Fri, 31 Dec 9999 23:59:59 -1200", None),
        ("tomorrow", None),
        ("", None),
        ("1970-01-02", None),
        ("9" * 65, None),
    ],
)
def test_a_moment_is_one_of_rfc_3339_or_of_http(text: str, seconds: float | None) -> None:
    assert parse_moment(text) == seconds
