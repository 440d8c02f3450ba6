from __future__ import annotations

import pytest

from dequeuer.client.errors import InvalidAnswerError
from dequeuer.client.events import EventReader

STREAM = b': waiting\n\ndata: {"a":1}\n\nevent: x\nid: 3\ndata:{"b":\ndata: 2}\r\n\r\ndata: last\n'


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_events_are_found_wherever_the_stream_is_cut(size: int) -> None:
    reader = EventReader()
    found = [event for at in range(0, len(STREAM), size) for event in reader.feed(STREAM[at : at + size])]
    assert found == [b'{"a":1}', b'{"b":\n2}']


def test_an_event_has_a_limit() -> None:
    reader = EventReader(max_bytes=100)
    assert reader.feed(b"data: " + b"x" * 90 + b"\n\n") == [b"x" * 90]
    with pytest.raises(InvalidAnswerError, match="more than 100 bytes"):
        reader.feed(b"x" * 101)


def test_many_lines_of_one_event_have_the_same_limit() -> None:
    reader = EventReader(max_bytes=100)
    with pytest.raises(InvalidAnswerError, match="more than 100 bytes"):
        reader.feed(b"data:\n" * 1000)


def test_comments_without_end_take_no_memory() -> None:
    reader = EventReader(max_bytes=100)
    for _ in range(1000):
        assert reader.feed(b": still here\n") == []
    assert reader.feed(b"data: x\n\n") == [b"x"]
