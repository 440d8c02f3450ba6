from __future__ import annotations

import pytest
import yaml

from dequeuer.files.reading import MAX_DEPTH
from dequeuer.files.yaml_guard import find_too_deep


def test_depth_is_limited() -> None:
    assert find_too_deep("[" * MAX_DEPTH + "]" * MAX_DEPTH) is None
    found = find_too_deep("x:\n- " + "[" * MAX_DEPTH + "]" * MAX_DEPTH)
    assert found is not None
    mark = found.start_mark
    assert mark is not None
    assert (mark.line, mark.column) == (1, MAX_DEPTH)


def test_a_file_of_brackets_is_found_before_its_end() -> None:
    assert find_too_deep(b"[" * 500_000) is not None


def test_what_is_no_yaml_is_an_error() -> None:
    with pytest.raises(yaml.YAMLError):
        find_too_deep("a: [")
