"""Where the frames of a WebSocket end, read along without decoding them (RFC 6455, section 5.2)."""

from __future__ import annotations

from typing import Final

GOING_AWAY: Final = b"\x88\x02\x03\xe9"
"""A whole close frame of a server, with the code 1001."""


class FrameBoundaries:
    """Follows one direction of a WebSocket."""

    __slots__ = ("_header", "_left")

    def __init__(self) -> None:
        self._header = b""
        self._left = 0

    @property
    def is_between_frames(self) -> bool:
        """Whether everything so far is whole frames."""
        return not self._left and not self._header

    def feed(self, data: bytes) -> int:
        """Read along; return the index after the last whole frame in `data`, or -1 when none ends there."""
        at, last, size = 0, -1, len(data)
        while at < size:
            if self._left:
                taken = min(self._left, size - at)
                self._left -= taken
                at += taken
                if not self._left:
                    last = at
                continue
            needed = _header_size(self._header)
            taken = min(needed - len(self._header), size - at)
            self._header += data[at : at + taken]
            at += taken
            if len(self._header) == _header_size(self._header):
                self._left = _payload_size(self._header)
                self._header = b""
                if not self._left:
                    last = at
        return last


def _header_size(header: bytes) -> int:
    """Return the size of a header as far as its beginning tells."""
    if len(header) < 2:
        return 2
    length = header[1] & 0x7F
    return 2 + (2 if length == 126 else 8 if length == 127 else 0) + (4 if header[1] & 0x80 else 0)


def _payload_size(header: bytes) -> int:
    length = header[1] & 0x7F
    if length == 126:
        return int.from_bytes(header[2:4], "big")
    return int.from_bytes(header[2:10], "big") if length == 127 else length
