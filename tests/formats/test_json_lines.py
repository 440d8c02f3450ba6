import json
import re
from collections.abc import Collection
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dequeuer.core.errors import InvalidResponseError
from dequeuer.formats.json_lines import ArrayLines, line_indexes
from tests.fakes import chunked
from tests.formats.test_json_spans import INDENTS, VALUES, dump


def lines(text: bytes, count: int, size: int = 7, left_out: Collection[int] = ()) -> bytes:
    made = ArrayLines(range(100, 100 + count), left_out)
    whole = b"".join(made.feed(text[at : at + size]) for at in range(0, len(text), size))
    made.close()
    return whole


@given(st.lists(VALUES), INDENTS, st.booleans(), st.integers(1, 40))
def test_each_element_is_a_line_however_the_array_is_cut(
    items: list[Any], indent: str | int | None, ascii_only: bool, size: int
) -> None:
    text = b" \n" + dump(items, indent, ascii_only=ascii_only) + b"\r\n"
    made = lines(text, len(items), size).split(b"\n")
    assert made.pop() == b""
    assert [json.loads(line) for line in made] == [{"index": 100 + at, "result": item} for at, item in enumerate(items)]
    compact = json.dumps(items, separators=(",", ":"), ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert b",".join(re.sub(rb'\A\{"index":\d+,"result":|\}\Z', b"", line) for line in made) == compact[1:-1]


def test_numbers_and_escapes_keep_their_bytes() -> None:
    assert lines(b'[ 1.50e+03 ,"\\u003c \\" ]",\n{ "a" : [ 12345678901234567890 ] } ]', 3) == (
        b'{"index":100,"result":1.50e+03}\n{"index":101,"result":"\\u003c \\" ]"}\n'
        b'{"index":102,"result":{"a":[12345678901234567890]}}\n'
    )


@pytest.mark.parametrize(("text", "count"), [(b"[]", 1), (b"[1]", 2), (b"[1,2]", 1), (b"[1]", 0), (b"[[1,2]]", 2)])
def test_another_number_of_elements_is_no_answer(text: bytes, count: int) -> None:
    with pytest.raises(InvalidResponseError, match="results"):
        lines(text, count)


def test_elements_that_are_left_out_are_null_and_have_no_line() -> None:
    assert lines(b"[null, 1, null ]", 3, 2, {0, 2}) == b'{"index":101,"result":1}\n'
    for text in (b"[0,1]", b'["null",1]', b"[[null],1]", b"[{},1]", b'["",1]'):
        with pytest.raises(InvalidResponseError, match="at position 0"):
            lines(text, 2, 3, {0})


@given(st.lists(st.text() | st.none(), max_size=8), st.integers(1, 50))
async def test_the_indexes_of_lines_are_found_however_they_are_cut(items: list[Any], size: int) -> None:
    text = lines(dump(items, None), len(items))
    assert await line_indexes(chunked(text, size)) == set(range(100, 100 + len(items)))
    cut = text[: len(text) // 2]
    assert await line_indexes(chunked(cut, size)) <= set(range(100, 100 + len(items)))
