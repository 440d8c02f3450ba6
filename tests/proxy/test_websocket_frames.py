"""Where frames end, however they are split."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from dequeuer.proxy.websocket_frames import GOING_AWAY, FrameBoundaries


def frame(size: int, *, masked: bool) -> bytes:
    mask = b"abcd" if masked else b""
    bit = 0x80 if masked else 0
    if size < 126:
        length = bytes([bit | size])
    elif size < 1 << 16:
        length = bytes([bit | 126]) + size.to_bytes(2, "big")
    else:
        length = bytes([bit | 127]) + size.to_bytes(8, "big")
    return b"\x82" + length + mask + bytes(size)


frames = st.lists(
    st.tuples(st.sampled_from([0, 1, 125, 126, 127, 65535, 65536]), st.booleans()), min_size=1, max_size=4
)


@given(sizes=frames, data=st.data())
def test_the_end_of_the_last_whole_frame_is_found(sizes: list[tuple[int, bool]], data: st.DataObject) -> None:
    parts = [frame(size, masked=masked) for size, masked in sizes]
    stream = b"".join(parts)
    ends = [sum(map(len, parts[: number + 1])) for number in range(len(parts))]
    borders = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=6)))
    boundaries = FrameBoundaries()
    for start, end in zip([0, *borders], [*borders, len(stream)], strict=True):
        found = boundaries.feed(stream[start:end])
        inside = [at - start for at in ends if start < at <= end]
        assert found == (inside[-1] if inside else -1)
        assert boundaries.is_between_frames is (end == 0 or end in ends)


def test_the_close_frame_is_one_frame() -> None:
    assert FrameBoundaries().feed(GOING_AWAY) == len(GOING_AWAY)
