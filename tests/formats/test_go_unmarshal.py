import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dequeuer.formats.go_unmarshal import Struct, unmarshal

INNER = Struct("p", "Inner", {"size": "int", "names": "[]string"})
OUTER = Struct(
    "p",
    "Outer",
    {
        "count": "int",
        "text": "string",
        "inner": INNER,
        "items": "[]json.RawMessage",
        "config": "map[string]interface {}",
    },
)
JUNK = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.sampled_from(["size", "NAMES"]), inner),
    max_leaves=8,
)


def read(text: str) -> tuple[dict[str, Any], list[str]]:
    found = unmarshal(text.encode(), OUTER)
    return found.fields, list(found.faults.values())


def test_fields_are_read_and_large_ones_keep_their_text() -> None:
    text = '{"count":2,"text":"a\\u0062","inner":{"size":1,"names":["x","y"]},"items":[ 1.0 ],"config":{"a": 1}}'
    assert read(text) == (
        {
            "count": 2,
            "text": "ab",
            "inner": {"size": 1, "names": ["x", "y"]},
            "items": b"[ 1.0 ]",
            "config": b'{"a": 1}',
        },
        [],
    )


@pytest.mark.parametrize("name", ["count", "Count", "COUNT", "\\u0063ount"])
def test_names_match_in_any_case(name: str) -> None:
    assert read(f'{{"{name}":3}}') == ({"count": 3}, [])


def test_single_letters_are_folded_as_go_folds_them() -> None:
    assert read('{"item\u017f":[]}') == ({"items": b"[]"}, [])
    assert read('{"con\ufb01g":{}}') == ({}, [])


def test_unknown_fields_are_ignored_and_the_last_of_repeated_ones_counts() -> None:
    text = '{"nope":[{}],"count":1,"inner":{"size":1},"COUNT":2,"inner":{"names":[]}}'
    assert read(text) == ({"count": 2, "inner": {"size": 1, "names": []}}, [])


def test_null_is_as_if_the_field_were_not_there() -> None:
    assert read('{"count":null,"inner":null,"items":null,"config":null,"text":null}') == ({}, [])
    assert read('{"inner":{"size":1},"inner":null}') == ({}, [])
    assert read('{"inner":{"names":[null,"a"]}}') == ({"inner": {"names": ["", "a"]}}, [])
    assert read("null") == ({}, [])


def test_every_fault_of_type_is_found() -> None:
    fields, faults = read('{"count":"2","inner":{"size":1.5,"names":["a",7,8]},"text":[],"items":{},"config":"x"}')
    assert fields == {"inner": {"names": ["a"]}}
    assert faults == [
        "json: cannot unmarshal string into Go struct field Outer.count of type int",
        "json: cannot unmarshal number 1.5 into Go struct field Inner.inner.size of type int",
        "json: cannot unmarshal number into Go struct field Inner.inner.names of type string",
        "json: cannot unmarshal array into Go struct field Outer.text of type string",
        "json: cannot unmarshal object into Go struct field Outer.items of type []json.RawMessage",
        "json: cannot unmarshal string into Go struct field Outer.config of type map[string]interface {}",
    ]


@pytest.mark.parametrize(
    ("number", "value"),
    [
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("9223372036854775808", None),
        ("1e2", None),
        ("9" * 5000, None),
        ("-0", 0),
    ],
)
def test_a_whole_number_has_64_bits(number: str, value: int | None) -> None:
    fields, faults = read(f'{{"count":{number}}}')
    assert fields.get("count") == value
    assert bool(faults) == (value is None)


@pytest.mark.parametrize("text", ["[]", '"x"', "7", "true"])
def test_what_is_no_object_is_one_fault(text: str) -> None:
    fields, faults = read(text)
    assert fields == {}
    assert faults[0].endswith("into Go value of type p.Outer")


def test_half_of_a_pair_is_replaced() -> None:
    assert read('{"text":"\\ud83dx"}') == ({"text": "\ufffdx"}, [])
    assert read('{"text":"\\ud83d\\ude00"}') == ({"text": "😀"}, [])


@given(st.dictionaries(st.sampled_from([*OUTER.fields, "Inner", "other"]), JUNK), st.booleans())
def test_any_object_is_read_or_has_faults_and_fields_have_their_types(value: dict[str, Any], ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    found = unmarshal(text.encode(), OUTER)
    types = {"count": int, "text": str, "inner": dict, "items": bytes, "config": bytes}
    assert all(isinstance(item, types[name]) for name, item in found.fields.items())
    for name in OUTER.fields:
        if isinstance(value.get(name), types[name]) and name not in {"inner", "items", "config"}:
            assert found.fields.get(name) == value[name] or name in found.faults or isinstance(value[name], bool)
