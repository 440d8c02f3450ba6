"""The field `traceparent`."""

from __future__ import annotations

import re

import pytest

from dequeuer.http.trace_context import traceparent

VALID = b"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize("value", [VALID, b"cc" + VALID[2:], b"01" + VALID[2:] + b"-more", VALID[:-2] + b"00"])
def test_a_valid_field_is_passed_on(value: bytes) -> None:
    assert traceparent(value) == (value, "0af7651916cd43dd8448eb211c80319c")


@pytest.mark.parametrize(
    "value",
    [
        *(None, b"", b"x", VALID + b"-more", VALID.upper(), b"ff" + VALID[2:], VALID[:-1], VALID + b"\n"),
        *(b"00-" + b"0" * 32 + VALID[35:], VALID[:36] + b"0" * 16 + VALID[52:], b"01" + VALID[2:] + b"-\x00"),
    ],
)
def test_without_one_a_trace_is_begun_that_is_not_recorded(value: bytes | None) -> None:
    field, trace_id = traceparent(value)
    assert re.fullmatch(rb"00-[0-9a-f]{32}-[0-9a-f]{16}-00", field)
    assert traceparent(field) == (field, trace_id)


def test_no_two_traces_are_the_same() -> None:
    assert len({traceparent(None) for _ in range(1000)}) == 1000
