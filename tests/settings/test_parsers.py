from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dequeuer.settings.parsers import (
    PORT,
    STATUSES,
    InvalidValueError,
    Parser,
    choice,
    listed,
    seconds,
    size,
    whole,
    whole_seconds,
)

ANY_SIZE = size(0, 2**60, "1EiB")
UNITS = {
    "": 1,
    "B": 1,
    "k": 1000,
    "K": 1000,
    "KB": 1000,
    "KiB": 1024,
    "Ki": 1024,
    "M": 10**6,
    "MB": 10**6,
    "Mi": 2**20,
    "MiB": 2**20,
    "G": 10**9,
    "GB": 10**9,
    "GiB": 2**30,
    "Gi": 2**30,
    "T": 10**12,
    "TiB": 2**40,
}


@pytest.mark.parametrize("text", ["1", "1000", "007"])
def test_whole_numbers_in_range_are_taken(text: str) -> None:
    assert whole(1, 1000).read(text) == int(text)


@pytest.mark.parametrize(
    "text", ["0", "1001", "-1", "1.0", "+1", "1_0", "", " 1", "1\n", "one", "٣", "0x1", "9" * 5000]
)
def test_other_whole_numbers_are_refused(text: str) -> None:
    with pytest.raises(InvalidValueError):
        whole(1, 1000).read(text)


def test_a_port_is_not_0() -> None:
    assert PORT.read("65535") == 65535
    for text in ("0", "65536"):
        with pytest.raises(InvalidValueError):
            PORT.read(text)


@given(st.integers(0, 42900), st.integers(0, 10**6 - 1))
def test_seconds_come_out_as_they_went_in(before: int, after: int) -> None:
    text = f"{before}.{after:06}"
    assert seconds(0, 42901).read(text) == float(text)


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e3", "1.", ".5", "5s", "-0.1", "10.01", "", "1,5", "9" * 400])
def test_other_seconds_are_refused(text: str) -> None:
    with pytest.raises(InvalidValueError):
        seconds(0, 10).read(text)


def test_a_bound_may_be_excluded() -> None:
    assert seconds(0, 10).read("0") == 0
    assert seconds(0, 10, above=True).read("0.001") == 0.001
    for text in ("0", "0.0", "-0"):
        with pytest.raises(InvalidValueError):
            seconds(0, 10, above=True).read(text)


@pytest.mark.parametrize(("text", "value"), [("2", 2), ("30.0", 30), ("20.000", 20)])
def test_whole_seconds_may_have_a_decimal_point(text: str, value: int) -> None:
    assert whole_seconds(2, 30).read(text) == value


@pytest.mark.parametrize("text", ["1", "31", "2.5", "30.01", "-2", "", "x"])
def test_other_whole_seconds_are_refused(text: str) -> None:
    with pytest.raises(InvalidValueError):
        whole_seconds(2, 30).read(text)


@given(st.integers(0, 2**20), st.sampled_from(sorted(UNITS)), st.sampled_from(["", " "]))
def test_sizes_come_out_as_they_went_in(number: int, unit: str, space: str) -> None:
    assert ANY_SIZE.read(f"{number}{space if unit else ''}{unit}") == number * UNITS[unit]


@pytest.mark.parametrize(("text", "value"), [("1.5GiB", 3 * 2**29), ("0.5k", 500), ("1.50", None), ("0.3KiB", None)])
def test_a_fraction_must_make_whole_bytes(text: str, value: int | None) -> None:
    if value is not None:
        assert ANY_SIZE.read(text) == value
    else:
        with pytest.raises(InvalidValueError):
            ANY_SIZE.read(text)


def test_large_sizes_are_exact() -> None:
    assert ANY_SIZE.read("9007199254740993") == 9007199254740993


@pytest.mark.parametrize(
    "text", ["", "-1", "1m", "1mib", "1  MiB", "MiB", "1PiB", "1Mi B", "1\n", "inf", "1e6", "2000000T"]
)
def test_other_sizes_are_refused(text: str) -> None:
    with pytest.raises(InvalidValueError):
        ANY_SIZE.read(text)


def test_words_are_taken_in_any_case() -> None:
    parser = choice("async", "AES256", asyncapi="async")
    assert parser.allowed == "async or AES256"
    assert parser.read("ASYNCapi") == parser.read("Async") == "async"
    assert parser.read("aes256") == "AES256"
    with pytest.raises(InvalidValueError):
        parser.read("RealtimeAPI")


@given(st.lists(st.integers(100, 599).filter(lambda number: number != 200)))
@example([])
def test_lists_come_out_as_they_went_in(numbers: list[int]) -> None:
    assert STATUSES.read(", ".join(map(str, numbers))) == frozenset(numbers)


@pytest.mark.parametrize("text", ["200", "429,200", "99", "600", "429,", ",", "429;503", "429 503", "4xx"])
def test_other_lists_are_refused(text: str) -> None:
    with pytest.raises(InvalidValueError):
        STATUSES.read(text)


@pytest.mark.parametrize(
    ("text", "named"),
    [("429,200", '"200"'), ("429, 4xx ", '"4xx"'), ("100,https://me:s3cret@h", r'"https://\*\*\*@h"'), ("4xx", "^$")],
)
def test_of_several_items_the_one_that_is_wrong_is_named_without_secrets(text: str, named: str) -> None:
    with pytest.raises(InvalidValueError, match=named):
        STATUSES.read(text)


def test_a_control_character_beside_a_number_of_a_list_is_white_space() -> None:
    assert STATUSES.read("500,\x1c502") == {500, 502}


def test_only_a_list_that_may_be_empty_takes_an_empty_text() -> None:
    assert STATUSES.read("") == frozenset()
    with pytest.raises(InvalidValueError):
        listed(whole(1, 2), tuple, "numbers").read("")


PARSERS: list[Parser[Any]] = [
    whole(1, 10),
    PORT,
    seconds(0, 10),
    whole_seconds(0, 10),
    ANY_SIZE,
    choice("a"),
    STATUSES,
]


@given(st.sampled_from(PARSERS), st.text())
def test_nothing_but_a_refusal_is_raised(parser: Parser[Any], text: str) -> None:
    try:
        parser.read(text)
    except InvalidValueError:
        assert parser.allowed
