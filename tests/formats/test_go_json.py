import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dequeuer.formats.go_json import (
    MAX_DEPTH,
    MAX_TOKENIZED_BYTES,
    Number,
    TooDeepError,
    compact,
    decode,
    encode,
    sort_names,
)

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"), (True, "true"), (False, "false"), (0, "0"), (-7, "-7"), (Number("1.0"), "1.0"), (Number("1E+2"), "1E+2"),
        ([], "[]"), ({}, "{}"), ([1, "a", None], '[1,"a",null]'), ({"b": 1, "a": [{}]}, '{"b":1,"a":[{}]}'),
        ("<a href='x'>&</a>", '"\\u003ca href=\'x\'\\u003e\\u0026\\u003c/a\\u003e"'), ("\u2028\u2029", '"\\u2028\\u2029"'),
        ('"\\\n\r\t', '"\\"\\\\\\n\\r\\t"'), ("\b\f\x00\x1f\x7f", '"\\u0008\\u000c\\u0000\\u001f\x7f"'), ("é😀", '"é😀"'), ("\ud800", '"\ufffd"'),
        (0.0, "0"), (1.0, "1"), (0.1, "0.1"), (2.5e-06, "0.0000025"), (1e-6, "0.000001"), (1e-7, "1e-7"), (1.5e-09, "1.5e-9"),
        (1e20, "100000000000000000000"), (1e21, "1e+21"), (-1.5e300, "-1.5e+300"), (123456.789, "123456.789"),
    ],
)  # fmt: skip
def test_values_are_written_as_go_writes_them(value: Any, text: str) -> None:
    assert encode(value) == text


def test_an_indent_gives_the_form_of_job_json() -> None:
    assert encode({"a": [1, {"b": None}], "c": {}, "d": []}, indent=2) == (
        '{\n  "a": [\n    1,\n    {\n      "b": null\n    }\n  ],\n  "c": {},\n  "d": []\n}'
    )


@pytest.mark.parametrize("value", [math.inf, math.nan])
def test_what_is_no_json_number_is_an_error(value: float) -> None:
    with pytest.raises(ValueError, match="no JSON"):
        encode(value)


def test_what_json_does_not_know_is_an_error() -> None:
    with pytest.raises(TypeError, match="bytes"):
        encode({"a": b""})


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "-Infinity", "", "[1,]", "{", "'a'"])
def test_text_that_is_not_json_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"JSON|Expecting|Illegal"):
        decode(text)


@pytest.mark.parametrize("text", ["12345678901234567890123", "1.0", "-0", "1e400", "0.1000"])
def test_numbers_keep_their_text(text: str) -> None:
    assert encode(decode(text)) == text
    assert encode(decode(f'{{"a":[{text}]}}')) == f'{{"a":[{text}]}}'


def test_text_that_is_nested_too_deeply_is_refused_before_it_is_decoded() -> None:
    assert encode(decode("[" * MAX_DEPTH + "]" * MAX_DEPTH)) == "[" * MAX_DEPTH + "]" * MAX_DEPTH
    with pytest.raises(TooDeepError):
        decode("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))
    assert decode('"' + "[" * 1000 + '\\""') == "[" * 1000 + '"'


def test_a_string_that_does_not_end_is_read_once() -> None:
    """From each escaped quote the rest was searched anew: 1 MiB took hours, in which nothing else ran."""
    with pytest.raises(ValueError, match="Unterminated string"):
        decode('"' + '\\"' * (1 << 19))


def test_names_are_sorted_on_every_level() -> None:
    assert encode(sort_names({"b": {"d": 1, "c": [{"f": 1, "e": 2}]}, "a": 0})) == (
        '{"a":0,"b":{"c":[{"e":2,"f":1}],"d":1}}'
    )


@given(VALUES, st.integers(0, 3))
def test_what_is_written_reads_as_the_same_value(value: Any, indent: int) -> None:
    assert json.loads(encode(value, indent=indent)) == value


@given(VALUES, st.sampled_from([None, 1, "\t"]), st.booleans())
def test_compact_text_is_what_go_writes_whatever_whitespace_it_had(
    value: Any, indent: str | int | None, ascii_only: bool
) -> None:
    text = json.dumps(value, indent=indent, ensure_ascii=ascii_only)
    short = json.dumps(value, separators=(",", ":"), ensure_ascii=ascii_only).encode()
    assert json.loads(compact(text.encode())) == value
    assert compact(text.encode()) == compact(short)
    assert len(compact(text.encode())) >= len(short)


def test_a_long_text_is_escaped_piece_by_piece() -> None:
    text = b'"' + b"<\xe2\x80\xa8" * 100_000 + b'"'
    assert compact(text) == b'"' + b"\\u003c\\u2028" * 100_000 + b'"'


@pytest.mark.parametrize(
    ("text", "short"),
    [
        (' [ 1.0 , "a b" ] ', '[1.0,"a b"]'), ('["\\\\" , "\\" \\\\\\" ", " "]', '["\\\\","\\" \\\\\\" "," "]'), (" 12 ", "12"),
        ('"<>&"', '"\\u003c\\u003e\\u0026"'), ('"\u2028 \u2029"', '"\\u2028 \\u2029"'), ("[1]", "[1]"), ('"/\\/"', '"/\\/"'),
    ],
)  # fmt: skip
def test_compact_keeps_strings_and_numbers(text: str, short: str) -> None:
    assert compact(text.encode()).decode() == short


@given(st.lists(st.text(max_size=20) | st.lists(st.integers(), max_size=3), max_size=6), st.sampled_from([None, 1]))
def test_short_and_long_texts_become_compact_the_same_way(values: list[object], indent: int | None) -> None:
    text = json.dumps([values, '\\ " \n '], indent=indent, ensure_ascii=False).encode(errors="replace")
    long = text + b" " * MAX_TOKENIZED_BYTES
    assert compact(text) == compact(long)
