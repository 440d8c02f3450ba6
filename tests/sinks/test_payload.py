"""An object that is being read is read whole, or closed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from dequeuer.sinks.base import Payload
from tests.fakes import chunked
from tests.opened import Opened

CONTENT = b"x" * 200_000


def payload() -> Payload:
    return Payload(size=len(CONTENT), content_type=None, chunks=chunked(CONTENT), modified_at=0.0)


@pytest.mark.parametrize(("max_bytes", "content"), [(199_999, None), (200_000, CONTENT), (200_001, CONTENT)])
async def test_an_object_is_read_whole_or_closed(max_bytes: int, content: bytes | None) -> None:
    opened = Opened()
    found = await opened.keep("k", payload())
    assert opened.keys == ["k"]
    assert await found.read(max_bytes) == content
    assert opened.keys == []


async def test_an_object_that_was_read_at_once_has_nothing_to_close() -> None:
    class InMemory:
        def __aiter__(self) -> InMemory:
            return self

        async def __anext__(self) -> bytes:
            raise AssertionError("it is not read")

    found = replace(payload(), chunks=InMemory())
    assert await found.read(1) is None
    await found.close()
