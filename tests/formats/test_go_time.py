import pytest
from hypothesis import given
from hypothesis import strategies as st

from dequeuer.formats.go_time import format_time, parse_time

NOON = 1_700_000_000 * 10**9


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "1970-01-01T00:00:00Z"), (NOON, "2023-11-14T22:13:20Z"), (NOON + 5, "2023-11-14T22:13:20.000000005Z"),
        (NOON + 120_000_000, "2023-11-14T22:13:20.12Z"),
    ],
)  # fmt: skip
def test_times_are_written_as_go_writes_them(ns: int, text: str) -> None:
    assert format_time(ns) == text
    assert parse_time(text) == ns


@pytest.mark.parametrize("text", ["2023-11-14T23:13:20.5+01:00", "2023-11-14T20:43:20.5-01:30"])
def test_offsets_of_other_zones_are_read(text: str) -> None:
    assert parse_time(text) == NOON + 500_000_000


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2023-11-14",
        "2023-13-14T22:13:20Z",
        "2023-11-14T22:13:20",
        "x2023-11-14T22:13:20Z",
        "2023-11-14T22:13:20Z\n",
    ],
)
def test_other_text_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"RFC 3339|month"):
        parse_time(text)


@given(st.integers(0, 2**62))
def test_what_is_written_reads_as_the_same_time(ns: int) -> None:
    assert parse_time(format_time(ns)) == ns
