import json
import tracemalloc
from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dequeuer.core.errors import InvalidResponseError
from dequeuer.formats.json_text import MAX_DEPTH, JsonValidator, is_json_array


def judge(chunks: Iterator[bytes] | list[bytes]) -> bool:
    validator = JsonValidator()
    try:
        for chunk in chunks:
            validator.feed(chunk)
        validator.close()
    except InvalidResponseError:
        return False
    return True


def by_the_library(text: bytes) -> bool:
    """What Python's own parser says, held to the RFC: UTF-8, no byte order mark, no NaN."""

    def refuse(_constant: str) -> NoReturn:
        raise ValueError

    if text.startswith(b"\xef\xbb\xbf"):
        return False
    try:
        json.loads(text.decode(), parse_constant=refuse)
    except (ValueError, RecursionError):
        return False
    return True


def pieces(text: bytes, cuts: list[int]) -> list[bytes]:
    places = sorted({0, len(text), *(cut % (len(text) + 1) for cut in cuts)})
    return [text[start:end] for start, end in pairwise(places)]


VALID = [
    b"0", b"-0", b"1", b"-1.5e-3", b"1E+5", b"123456789012345678901234567890", b"0.10", b'""', b'"a"', b"true", b"false",
    b"null", b" null ", b"\t[\n]\r", b"{}", b"[[]]", b'{"":{}}', b'{"a":[1,{"b":null}],"a":2}', b'"\\u00e9\\n\\/"',
    b'"\\ud800"', b'"\\udc00\\ud800"', '"naïve €𝄞"'.encode(), b'[1,2.0,"x",true,null,{},[]]', b'"\x7f"',
]  # fmt: skip
INVALID = [
    b"", b" ", b"NaN", b"Infinity", b"-Infinity", b"nul", b"nulll", b"True", b"01", b"-", b"-01", b"+1", b".5", b"1.", b"1.e5",
    b"1e", b"1e+", b"0x10", b"1 2", b"[1,]", b"[,1]", b"[1 2]", b"[1", b"]", b"[}", b"{", b"{,}", b'{"a":1,}', b'{"a"}',
    b'{"a" 1}', b'{"a":}', b"{1:2}", b"{a:1}", b"'a'", b'"', b'"\\"', b'"\\x"', b'"\\u12g4"', b'"\\u123', b'"\x00"', b'"\n"',
    b'"\xff"', b'"\xed\xa0\x80"', b'"\xc3', b"\xef\xbb\xbf1", b"[1]]", b"[1]x", b"//", b"[1,,2]", b"{}{}", b'"a" "b"',
    b"\x00", b"\xa0[]", b'{"a":1 "b":2}', b"[1:2]", b"tru", b"t rue", b"1\x00", b'["a', b"[1.2.3]", b"--1",
]  # fmt: skip


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize("text", VALID, ids=repr)
def test_what_the_rfc_allows(text: bytes, size: int) -> None:
    assert by_the_library(text)
    assert judge([text[at : at + size] for at in range(0, len(text), size)])


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize("text", INVALID, ids=repr)
def test_what_the_rfc_forbids(text: bytes, size: int) -> None:
    assert not by_the_library(text)
    assert not judge([text[at : at + size] for at in range(0, len(text), size)])


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=30,
)


@given(values, st.lists(st.integers(min_value=0)), st.booleans(), st.sampled_from([None, 1]))
def test_every_document_in_every_cut(value: Any, cuts: list[int], ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
    assert judge(pieces(text, cuts)) == by_the_library(text)


@given(values, st.data())
def test_a_document_with_something_changed(value: Any, data: st.DataObject) -> None:
    text = bytearray(json.dumps(value).encode())
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        removed = data.draw(st.integers(0, 2))
        text[at : at + removed] = bytes(
            data.draw(st.lists(st.sampled_from(b'[]{}",:0-1.eE \\untf\x01\xc3'), max_size=2))
        )
    cuts = data.draw(st.lists(st.integers(min_value=0), max_size=5))
    assert judge(pieces(bytes(text), cuts)) == by_the_library(bytes(text))


@given(st.binary(max_size=30), st.lists(st.integers(min_value=0), max_size=5))
def test_any_bytes(text: bytes, cuts: list[int]) -> None:
    assert judge(pieces(text, cuts)) == by_the_library(text)


def test_nesting_is_limited_and_deep_nesting_is_fine() -> None:
    assert judge([b"[" * MAX_DEPTH + b"]" * MAX_DEPTH])
    assert not judge([b"[" * (MAX_DEPTH + 10) + b"]" * (MAX_DEPTH + 10)])


@pytest.mark.parametrize(
    ("begin", "middle", "end"),
    [
        (b'"', b"a" * 65536, b'"'),
        (b"", b"1" * 65536, b""),
        (b"[", b"1.5," * 16384, b"1]"),
        (b"[", b'{"a":"b"},' * 6000, b"{}]"),
    ],
)
def test_memory_does_not_grow_with_the_text(begin: bytes, middle: bytes, end: bytes) -> None:
    validator = JsonValidator()
    validator.feed(begin)
    validator.feed(middle)
    tracemalloc.start()
    try:
        for _ in range(300):
            validator.feed(middle)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    validator.feed(end)
    validator.close()
    # Twenty megabytes went through; what remains is the working memory of one match.
    assert peak < 6_000_000


def test_the_text_of_an_error_has_the_position_and_no_quote() -> None:
    validator = JsonValidator()
    validator.feed(b'{"password": ')
    with pytest.raises(InvalidResponseError) as caught:
        validator.feed(b'"hunter2", secret}')
    assert "byte 24" in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("text", [b"[]", b" [1, 2]\n", b'[{"a": []}]'])
def test_arrays(text: bytes) -> None:
    assert is_json_array(text)


@pytest.mark.parametrize("text", [b"", b"{}", b"1", b'"[]"', b"[", b"[1,]", b"[NaN]", b"[][]", b"\xff"])
def test_what_is_no_array(text: bytes) -> None:
    assert not is_json_array(text)
