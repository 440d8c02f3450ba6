import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from dequeuer.formats.json_spans import elements, larger_elements, members, value_end, value_start

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=30)
INDENTS = st.sampled_from([None, 1, "\t"])
LIMIT = 16 * 1024


def dump(value: Any, indent: str | int | None, *, ascii_only: bool = False) -> bytes:
    return json.dumps(value, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")


@given(st.lists(VALUES), INDENTS, st.booleans())
def test_elements_are_the_items_of_an_array(items: list[Any], indent: str | int | None, ascii_only: bool) -> None:
    text = dump(items, indent, ascii_only=ascii_only)
    spans = list(elements(text))
    assert [json.loads(text[slice(*span)]) for span in spans] == items
    assert all(text[slice(*span)].strip() == text[slice(*span)] for span in spans)


@given(st.dictionaries(st.text(), VALUES), INDENTS)
def test_members_are_those_of_an_object(value: dict[str, Any], indent: str | int | None) -> None:
    text = b" " + dump(value, indent) + b"\n"
    found = {name: json.loads(text[slice(*span)]) for name, span in members(text, 1)}
    assert found == value
    assert value_end(text, value_start(text, 0)) == len(text) - 1


def test_a_name_that_occurs_twice_is_yielded_twice() -> None:
    assert list(members(b'{"a":1,"a":2}')) == [("a", (5, 6)), ("a", (11, 12))]


def test_brackets_and_quotes_in_strings_are_no_ends() -> None:
    items = ['"]', "\\", '\\"[', {"}": ["]"]}, "x" * 20_000 + "]", [[[[["]"]]]]]]
    text = dump(items, None)
    assert [json.loads(text[slice(*span)]) for span in elements(text)] == items


@given(st.lists(st.sampled_from([0, 1, 5_000, LIMIT - 2, LIMIT - 1, 40_000]), max_size=12), st.booleans(), INDENTS)
def test_larger_elements_are_reported_with_their_index_and_size(
    sizes: list[int], deep: bool, indent: str | int | None
) -> None:
    items = [[[[["x" * size]]]] if deep else "x" * size for size in sizes]
    text = dump(items, indent)
    wanted = [(index, end - at) for index, (at, end) in enumerate(elements(text)) if end - at > LIMIT]
    assert list(larger_elements(text, LIMIT)) == wanted


def test_an_array_of_small_elements_has_no_larger_ones() -> None:
    assert list(larger_elements(b"[]", LIMIT)) == []
    assert list(larger_elements(b"[" + b"1, " * 100_000 + b"1]", LIMIT)) == []
