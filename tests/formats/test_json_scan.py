"""Containers that Python's own scanner finds: only JSON, only small ones, and at bounded cost."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dequeuer.formats.json_scan import MAX_CREDIT, MAX_FOUND_BYTES, MAX_ITEMS, WINDOW_BYTES, ContainerScanner

LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
CONTAINERS: st.SearchStrategy[Any] = st.recursive(
    st.just([]) | st.just({}),
    lambda inner: st.lists(inner | LEAVES) | st.dictionaries(st.text(), inner | LEAVES),
    max_leaves=20,
)


@given(CONTAINERS, st.booleans(), st.sampled_from([b"", b"  ", b",[[]]", b"]", b"\xff"]))
def test_the_end_of_a_container_is_found(value: Any, ascii_only: bool, after: bytes) -> None:
    text = b"[" + json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")
    assert ContainerScanner().end(text + after, 1) == len(text)


@pytest.mark.parametrize(
    "text",
    [
        b"[NaN]",
        b"[-Infinity]",
        b"[01]",
        b"[1.]",
        b"[1,]",
        b"{1:2}",
        b'{"a":1,}',
        b'["\x1f"]',
        b'["\\x"]',
        b'["\\u12g4"]',
        *(b"[\xff]", b"[1 2]", b"[+1]", b"[", b"[1", b'["', b"[.5]", b"[\x0b]", b"['a']", b"[//\n]"),
    ],
)
def test_what_is_no_json_is_not_found(text: bytes) -> None:
    assert ContainerScanner().end(text, 0) is None


def test_long_numbers_are_not_converted() -> None:
    text = b"[" + b"9" * 5000 + b"," + b"1e" + b"9" * 2000 + b"]"
    assert ContainerScanner().end(text, 0) == len(text)


def test_large_containers_are_not_found() -> None:
    for size in (10, WINDOW_BYTES, MAX_FOUND_BYTES):
        text = b'["' + b"x" * (size - 4) + b'"]'
        assert ContainerScanner().end(text * 2, 0) == size
    assert ContainerScanner().end(b'["' + b"x" * (MAX_FOUND_BYTES - 3) + b'"]', 0) is None
    # How deep Python's scanner goes depends on its version: either it finds the right end, or none.
    assert ContainerScanner().end(b"[" * 5000 + b"]" * 5000, 0) in (None, 10_000)


def test_small_containers_are_found_at_every_place_of_a_text() -> None:
    scanner, text, at = ContainerScanner(), b'[[["]"]]] ' * 20_000, 0
    while at < len(text):
        assert scanner.end(text, at) == at + 9
        at += 10
    assert scanner.end(text, 0) == 9


@pytest.mark.parametrize(("comma", "count"), [(b",", 5), (b" ,\n", 5), (b"", 1), (b" ", 1), (b",1,", 1), (b",,", 1)])
def test_containers_that_follow_each_other_are_found_together(comma: bytes, count: int) -> None:
    text = comma.join([b"[[{}]]"] * 5) + b"]"
    size = len(b"[[{}]]")
    assert ContainerScanner().items(text, 0) == (count * size + (count - 1) * len(comma), count)


def test_so_many_are_found_that_what_follows_has_its_chance() -> None:
    assert ContainerScanner().items(b"[]," * 1000, 0) == (3 * MAX_ITEMS - 1, MAX_ITEMS)
    assert ContainerScanner().items(b"[1", 0) == (0, 0)


def test_what_is_read_in_vain_is_bounded() -> None:
    scanner, text = ContainerScanner(), b"[[[[1]]]]" + b"[" * MAX_FOUND_BYTES
    looks = 0
    while scanner.end(text, 9) is None and scanner.end(text, 0) == 9:
        looks += 1
    assert MAX_CREDIT // MAX_FOUND_BYTES // 2 <= looks <= MAX_CREDIT // MAX_FOUND_BYTES
