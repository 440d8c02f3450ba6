from __future__ import annotations

import pytest

from dequeuer.formats.json_reading import json_or_none, object_or_none


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[" * 100_000, "\ud800", "null", b"null"])
def test_what_is_not_json_is_none(content: str | bytes) -> None:
    assert json_or_none(content) is None
    assert object_or_none(content) is None


def test_values() -> None:
    assert json_or_none("[1]") == [1]
    assert object_or_none("[1]") is None
    assert object_or_none(b'{"a": 1}') == {"a": 1}
