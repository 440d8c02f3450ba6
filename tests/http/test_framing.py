"""Where bodies end, however they are split."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dequeuer.http.errors import MalformedError
from dequeuer.http.framing import (
    MAX_CHUNK_EXCESS_BYTES,
    BodyReader,
    ChunkedBody,
    LengthBody,
    NoBody,
    UntilCloseBody,
    find_head_end,
)

NEXT = b"GET / HTTP/1.1\r\n\r\n"


def read(body: BodyReader, data: bytes, borders: list[int]) -> tuple[bytes, int]:
    """Feed `data` in pieces; return the body and how many bytes belonged to it."""
    found, at = b"", 0
    for border in [*sorted(borders), len(data)]:
        while at < border and not body.is_done:
            piece, used = body.feed(data[at:border])
            found += piece
            at += used
    return found, at


chunks = st.lists(
    st.tuples(st.binary(min_size=1, max_size=40), st.sampled_from([b"", b";a", b";a=b", b';a="b c"', b";a=b;c"])),
    max_size=6,
)
empty_lines = st.lists(st.sampled_from([b"\r\n", b"\r\n\r\n", b"0\r\n\r\n", b"x"]), min_size=1, max_size=6).map(
    b"".join
)


@given(data=st.data())
def test_a_chunked_body_ends_where_it_ends(data: st.DataObject) -> None:
    parts = data.draw(chunks) + [(piece, b"") for piece in data.draw(st.lists(empty_lines, max_size=3))]
    trailers = data.draw(st.lists(st.sampled_from([(b"X", b"y"), (b"Expires", b"0"), (b"Z", b"")]), max_size=3))
    message = b"".join(b"%x%b\r\n%b\r\n" % (len(piece), extension, piece) for piece, extension in parts)
    message += b"0\r\n" + b"".join(b"%b: %b\r\n" % trailer for trailer in trailers) + b"\r\n"
    whole = message + NEXT
    borders = data.draw(st.lists(st.integers(0, len(whole)), max_size=8))
    body = ChunkedBody()
    assert read(body, whole, borders) == (b"".join(piece for piece, _ in parts), len(message))
    assert (body.is_done, body.trailers) == (True, trailers)


@pytest.mark.parametrize(
    "data",
    [
        b"3\nabc\r\n0\r\n\r\n",
        b"3 \r\nabc\r\n0\r\n\r\n",
        b" 3\r\nabc\r\n0\r\n\r\n",
        b"+3\r\nabc\r\n0\r\n\r\n",
        b"-3\r\nabc\r\n0\r\n\r\n",
        b"0x3\r\nabc\r\n0\r\n\r\n",
        b"3_\r\nabc\r\n0\r\n\r\n",
        b"\r\n3\r\nabc\r\n0\r\n\r\n",
        b";a\r\nabc\r\n0\r\n\r\n",
        b"3; a\r\nabc\r\n0\r\n\r\n",
        b"FFFFFFFFFFFFFFFFF\r\nabc",
        b"3;\nx\r\nabc\r\n0\r\n\r\n",
        b"3;a=\rb\r\nabc\r\n0\r\n\r\n",
        b"3;a=\x00b\r\nabc\r\n0\r\n\r\n",
        b'3;a="b\r\n"\r\nabc\r\n0\r\n\r\n',
        b"3\r\nabcXX0\r\n\r\n",
        b"3\r\nabc\n0\r\n\r\n",
        b"2\r\nabc\r\n0\r\n\r\n",
        b"4\r\nabc\r\n0\r\n\r\n",
        b"0\n\r\n",
        b"0\r\n\n",
        b"0\r\nX: y\n\r\n",
        b"0\r\nX : y\r\n\r\n",
        b"0\r\n X: y\r\n\r\n",
        b"0\r\nX: y\r\n z\r\n\r\n",
        b"0\r\nX\r\n\r\n",
        b"0\r\nContent-Length: 5\r\n\r\n",
        b"0\r\nTransfer-Encoding: chunked\r\n\r\n",
    ],
)
@pytest.mark.parametrize("step", [1, 2, 1000])
def test_chunks_that_are_not_valid_are_refused(data: bytes, step: int) -> None:
    with pytest.raises(MalformedError):
        read(ChunkedBody(), data, list(range(step, len(data), step)))


@pytest.mark.parametrize(
    "data",
    [
        b"3;" + b"a" * 2 * MAX_CHUNK_EXCESS_BYTES + b"\r\nabc\r\n0\r\n\r\n",
        b"".join(b"1;" + b"a" * 100 + b"\r\nx\r\n" for _ in range(500)) + b"0\r\n\r\n",
        b"0" * 2 * MAX_CHUNK_EXCESS_BYTES + b"3\r\nabc\r\n0\r\n\r\n",
        b"0\r\n" + b"X: y\r\n" * 65 + b"\r\n",
        b"0\r\nX: " + b"y" * 2 * MAX_CHUNK_EXCESS_BYTES + b"\r\n\r\n",
    ],
    ids=["one extension", "many extensions", "zeros", "trailers", "long trailer"],
)
def test_framing_without_end_is_refused(data: bytes) -> None:
    with pytest.raises(MalformedError):
        read(ChunkedBody(), data, list(range(1000, len(data), 1000)))


def test_small_chunks_are_no_excess() -> None:
    message = b"1\r\nx\r\n" * 20_000 + b"0\r\n\r\n"
    assert read(ChunkedBody(), message, list(range(1000, len(message), 1000))) == (b"x" * 20_000, len(message))


def test_nothing_is_read_after_the_end_of_chunks() -> None:
    body = ChunkedBody()
    body.feed(b"0\r\n\r\n")
    assert body.feed(NEXT) == (b"", 0)


@given(size=st.integers(0, 50), borders=st.lists(st.integers(0, 60), max_size=5))
def test_a_body_with_a_length_ends_after_it(size: int, borders: list[int]) -> None:
    data = bytes(range(60))
    body = LengthBody(size)
    assert read(body, data, borders) == (data[:size], size)
    assert body.is_done


def test_no_body_takes_nothing() -> None:
    assert NoBody().feed(NEXT) == (b"", 0)


def test_a_body_until_the_end_of_the_connection_takes_everything() -> None:
    assert read(UntilCloseBody(), NEXT, [3]) == (NEXT, len(NEXT))


def test_the_end_of_a_head_is_found_across_a_border() -> None:
    head = b"GET / HTTP/1.1\r\nX: y\r\n\r\n"
    for border in range(len(head)):
        buffer = bytearray(head[:border])
        assert find_head_end(buffer, 0) == 0
        buffer += head[border:] + b"rest"
        assert find_head_end(buffer, border) == len(head)
