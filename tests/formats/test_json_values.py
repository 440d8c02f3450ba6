"""Concatenated JSON values are split the same way however the stream is cut into chunks."""

import json
import tracemalloc
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dequeuer.formats.json_values import NOT_UTF8, BadValue, Found, NotJsonError, Value, ValueSplitter

NO_LIMIT = 1 << 40


def split(chunks: Iterable[bytes], limit: int = NO_LIMIT, offset: int = 0) -> Iterator[Found]:
    splitter = ValueSplitter(limit, offset)
    for chunk in chunks:
        yield from splitter.feed(chunk)
    yield from splitter.close()


def texts(*chunks: bytes) -> list[bytes]:
    return [found.text for found in split(chunks) if isinstance(found, Value)]


def outcome(chunks: Iterable[bytes], limit: int = NO_LIMIT) -> tuple[list[Found], tuple[str, int] | None]:
    found: list[Found] = []
    try:
        found.extend(split(chunks, limit))
    except NotJsonError as error:
        return found, (str(error), error.offset)
    return found, None


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"", []),
        (b" \r\n\t ", []),
        (b'{"a":1}\n{"a":2}\n', [b'{"a":1}', b'{"a":2}']),
        (b'{"a":\n1}{"b":[2,\n\n3]}[]"x""y"', [b'{"a":\n1}', b'{"b":[2,\n\n3]}', b"[]", b'"x"', b'"y"']),
        (b"1 2.50 -3e+7 12345678901234567890", [b"1", b"2.50", b"-3e+7", b"12345678901234567890"]),
        (b"truefalse null1null", [b"true", b"false", b"null", b"1", b"null"]),
        (b'"\\ud800" "\\ud83d\\ude00" "\xf0\x9f\x98\x80"', [b'"\\ud800"', b'"\\ud83d\\ude00"', b'"\xf0\x9f\x98\x80"']),
        (b"[" * 500 + b"]" * 500 + b" 1", [b"[" * 500 + b"]" * 500, b"1"]),
        (b"[" + b"1," * 50_000 + b"1]7", [b"[" + b"1," * 50_000 + b"1]", b"7"]),
    ],
)
def test_values_stand_in_any_way_next_to_each_other(stream: bytes, expected: list[bytes]) -> None:
    assert texts(stream) == expected
    assert texts(*(stream[at : at + 1] for at in range(len(stream)))) == expected
    assert texts(*(stream[at : at + 5] for at in range(0, len(stream), 5))) == expected


@pytest.mark.parametrize(
    ("stream", "good", "offset"),
    [
        (b"1 NaN", 1, 2),
        (b"Infinity", 0, 0),
        (b"1 -Infinity", 1, 2),
        (b"[1] [2,]", 1, 4),
        (b"[1,2", 0, 0),
        (b'{"a":1} {"a"', 1, 8),
        (b'"abc', 0, 0),
        (b'"a\nb"', 0, 0),
        (b"01", 0, 0),
        (b"1 2020-01-02", 1, 2),
        (b"1 2. 3", 1, 2),
        (b"1 2.", 1, 2),
        (b"-", 0, 0),
        (b"1e5e5", 0, 0),
        (b"tru", 0, 0),
        (b"1 trux", 1, 2),
        (b'{"a":1},{"a":2}', 1, 7),
        (b"\xef\xbb\xbf{}", 0, 0),
        (b"'a'", 0, 0),
        (b"1\x002", 1, 1),
        (b"[" * 10_010, 0, 0),
    ],
)
def test_what_is_no_json_is_an_error_with_the_offset_of_its_value(stream: bytes, good: int, offset: int) -> None:
    for size in (1, 3, len(stream)):
        found, error = outcome(stream[at : at + size] for at in range(0, len(stream), size))
        assert len(found) == good
        assert error is not None
        assert error[1] == offset


def test_the_place_of_the_fault_is_told_too() -> None:
    with pytest.raises(NotJsonError) as caught:
        list(split([b'{"a": 1}\n{"b": ', b"NaN}\n"]))
    assert (caught.value.offset, caught.value.found_at) == (9, 15)


def test_offsets_count_from_the_first_chunk_of_the_stream() -> None:
    assert list(split([b" 1 ", b"[2", b"] "], offset=100)) == [Value(b"1", 101, 102), Value(b"[2]", 103, 106)]


@pytest.mark.parametrize(
    "large", [b"[" + b"1," * 3000 + b"1]", b'"' + b"x" * 6000 + b'"', b"1" * 6000, b"[[[[[" + b" " * 6000 + b"]]]]]"]
)
@pytest.mark.parametrize("size", [1, 100, 100_000])
def test_a_value_above_the_limit_is_found_with_its_size_and_the_stream_goes_on(large: bytes, size: int) -> None:
    stream = b"1 " + large + b" 2"
    found = list(split((stream[at : at + size] for at in range(0, len(stream), size)), limit=5000))
    assert found == [
        Value(b"1", 0, 1),
        BadValue(2, 2 + len(large), ""),
        Value(b"2", len(stream) - 1, len(stream)),
    ]


def test_a_value_of_exactly_the_limit_is_kept() -> None:
    assert list(split([b'"1234"'], limit=6)) == [Value(b'"1234"', 0, 6)]
    assert list(split([b'"12345"'], limit=6)) == [BadValue(0, 7, "")]


def test_invalid_utf_8_is_found_and_the_stream_goes_on() -> None:
    for stream in (b'1 "\xff" 2', b'1 "\xed\xa0\x80" 2', b'1 "\xc3" 2'):
        kinds = [found.reason if isinstance(found, BadValue) else found.text for found in split([stream])]
        assert kinds == [b"1", NOT_UTF8, b"2"]
        assert len(list(split(stream[at : at + 1] for at in range(len(stream))))) == 3


def test_a_character_that_is_cut_by_a_chunk_stays_one() -> None:
    whole = '"ä\N{GRINNING FACE}"'.encode()
    assert texts(*(whole[at : at + 1] for at in range(len(whole)))) == [whole]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)
SPACE = st.text(alphabet=" \t\r\n", max_size=3)


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[bytes], bytes]:
    values = [json.dumps(value, ensure_ascii=draw(st.booleans())).encode(errors="surrogatepass")
              for value in draw(st.lists(JSON, max_size=8))]  # fmt: skip
    values = [value for value in values if b"\xed" not in value]
    stream = b""
    for value in values:
        between = draw(SPACE).encode() or (b"" if stream[-1:] in b'}]"' and stream else b" ")
        stream += between + value
    return values, stream + draw(SPACE).encode()


@given(streams(), st.data())
def test_any_split_of_any_concatenation_gives_the_same_values(
    case: tuple[list[bytes], bytes], data: st.DataObject
) -> None:
    values, stream = case
    whole = list(split([stream]))
    assert [found.text for found in whole if isinstance(found, Value)] == values
    assert all(stream[found.start : found.end] == text for found, text in zip(whole, values, strict=True))
    borders = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    chunks = [stream[a:b] for a, b in zip([0, *borders], [*borders, len(stream)], strict=True)]
    assert list(split(chunks)) == whole


@given(st.text(alphabet='[]{},:"\\u0019.-+eEtrufalsn \n\x00', max_size=24), st.integers(0, 24), st.integers(1, 8))
@example("[1 2", 1, 100)
def test_any_split_of_any_text_gives_the_same_values_and_the_same_fault(text: str, border: int, limit: int) -> None:
    stream = text.encode()
    assert outcome([stream[:border], stream[border:]], limit) == outcome([stream], limit)


def test_memory_is_bounded_whatever_is_in_the_stream() -> None:
    splitter, chunk = ValueSplitter(100_000), b"1,2," * 16_000
    tracemalloc.start()
    assert list(splitter.feed(b"[")) == []
    for _ in range(20):
        assert list(splitter.feed(chunk)) == []
    assert list(splitter.feed(b"3]")) == [BadValue(0, 20 * len(chunk) + 3, "")]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8_000_000  # a match of 16 KiB takes up to 200 times as much
