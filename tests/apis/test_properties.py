"""Whatever is in a file: it is read, or refused with faults that name lines of it."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from dequeuer.apis import Apis, parse_apis
from dequeuer.core.errors import ConfigurationError
from tests.apis.cases import FILE, KINDS
from tests.apis.test_docs import EXAMPLES

VALID = ["".join(KINDS.values()), *EXAMPLES.values()]
LINES = re.compile("\r\n|[\n\r\u0085\u2028\u2029]")
PLACE = re.compile(rf"{re.escape(FILE)}:([0-9]+):([0-9]+): \S")
ODD = ["", "~", "yes", "0755", "1e3", "12:30", ".nan", ".inf", "-1", "9" * 30, "[]", "{}", "[a", "{a: b", "*x", "&x", "&x [*x]", "!x", "!!int a", "<<: 3", "'", '"', "|", ">-", "\t", "---", "...", "# x", ": ", "- ", "? ", "%", "@", "`", "\ufeff", "\x00", "\u2028", "\udcff"]  # fmt: skip
INSERTIONS = st.sampled_from(ODD) | st.text(max_size=5)


def read(text: bytes | str) -> Apis | None:
    """Return the APIs of a file; None when it is refused as it should be."""
    data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")
    try:
        return parse_apis(data, FILE)
    except ConfigurationError as error:
        faults = error.faults
    assert faults
    lines = len(LINES.split(data.decode("utf-8", "replace")))
    for fault in faults:
        if "and more faults" not in fault:
            match = PLACE.match(fault)
            assert match, fault
            assert 1 <= int(match[1]) <= lines, fault
            assert fault.isprintable()
            assert len(fault) < 2000
    return None


@settings(max_examples=300)
@given(
    st.binary(max_size=60)
    | st.text(alphabet="-: nameki&*!|>?[]{}'\"\n\t#%@=<0x1.,~\u2028", max_size=60).map(str.encode)
)
def test_any_bytes(data: bytes) -> None:
    read(data)


@settings(max_examples=500)
@given(st.data())
def test_a_valid_file_with_some_characters_changed(data: st.DataObject) -> None:
    text = data.draw(st.sampled_from(VALID))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        gone = data.draw(st.integers(0, 4))
        text = text[:at] + data.draw(INSERTIONS) + text[at + gone :]
    read(text)


@settings(max_examples=300)
@given(st.data())
def test_a_valid_file_with_some_lines_changed(data: st.DataObject) -> None:
    lines = data.draw(st.sampled_from(VALID)).splitlines(keepends=True)
    changes: list[Callable[[int], None]] = [
        lambda at: lines.insert(at, lines[at]),
        lambda at: lines.__setitem__(at, ""),
        lambda at: lines.__setitem__(at, f"  {lines[at]}"),
        lambda at: lines.__setitem__(at, lines[at].removeprefix("  ")),
        lambda at: lines.__setitem__(at, re.sub(r":.*", f": {data.draw(st.sampled_from(ODD))}", lines[at])),
    ]
    for _ in range(data.draw(st.integers(1, 3))):
        data.draw(st.sampled_from(changes))(data.draw(st.integers(0, len(lines) - 1)))
    read("".join(lines))


KEYS = st.sampled_from(["name", "kind", "pod", "apis", "containers", "networking", "endpoint", "autoscaling", "compute", "env", "image", "command", "weight", "readiness_probe", "http_get", "port", "update_strategy", "<<"])  # fmt: skip
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(list(KINDS))
TREES = st.recursive(
    LEAVES,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(KEYS | LEAVES, inside, max_size=4),
    max_leaves=15,
)


@settings(max_examples=300)
@given(
    st.lists(
        st.fixed_dictionaries(
            {"kind": st.sampled_from(list(KINDS))},
            optional={"pod": TREES, "apis": TREES, "name": LEAVES, "autoscaling": TREES, "networking": TREES},
        )
        | TREES,
        max_size=3,
    )
)
def test_any_structure(tree: list[object]) -> None:
    read(yaml.safe_dump(tree, allow_unicode=True))


@pytest.mark.parametrize("text", VALID)
def test_each_line_that_is_taken_away(text: str) -> None:
    lines = text.splitlines(keepends=True)
    for at in range(len(lines)):
        read("".join(lines[:at] + lines[at + 1 :]))


@pytest.mark.parametrize("text", VALID)
def test_each_place_at_which_the_file_ends(text: str) -> None:
    assert read(text) is not None
    for at in range(len(text)):
        read(text[:at])
