from __future__ import annotations

import pytest
import yaml

from dequeuer.files.reading import MAX_DEPTH, UnreadableError
from dequeuer.files.yaml_guard import find_too_deep, load_yaml


def test_depth_is_limited() -> None:
    assert find_too_deep("[" * MAX_DEPTH + "]" * MAX_DEPTH) is None
    found = find_too_deep("x:\n- " + "[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert found is not None
    mark = found.start_mark
    assert mark is not None
    assert (mark.line, mark.column) == (1, MAX_DEPTH)


def test_a_file_of_brackets_is_found_before_its_end() -> None:
    assert find_too_deep(b"[" * 500_000) is not None


def test_a_document_is_read_and_what_is_none_is_told_by_its_position_alone() -> None:
    assert (load_yaml(b""), load_yaml(b"a: [1]")) == (None, {"a": [1]})
    for data, fault in (
        (b"a: 1\nsecret: s3cret: x\n", r"is no YAML \(line 2, column 15\)"),
        (b"a: !!bool s3cret", "is no YAML, or holds a value that is none"),
        (b"[" * 500_000, f"nested more than {MAX_DEPTH} deep"),
    ):
        with pytest.raises(UnreadableError, match=fault) as caught:
            load_yaml(data)
        assert "s3cret" not in str(caught.value)


def test_what_is_no_yaml_is_an_error() -> None:
    with pytest.raises(yaml.YAMLError):
        find_too_deep("a: [")
