"""Heads of answers in the one usual form, read at a tenth of a parser's cost. The others are left to a parser."""

from __future__ import annotations

from typing import NamedTuple

HEAD_LIMIT_BYTES = 64 * 1024
_STATUSES = {b"%d " % status: status for status in range(200, 600) if status not in (204, 304)}
_END = b"\r\n\r\n"
_LENGTH = b"\r\ncontent-length:"
_CONNECTION = b"\r\nconnection:"
_UNUSUAL = (b"\r\ntransfer-encoding:", b"\r\n ", b"\r\n\t", b"\0", b"\r\nupgrade:")


class PlainHead(NamedTuple):
    """What matters of a head.

    Attributes:
        status: of 200 to 599.
        lines: the head, without its last line break.
        length: of the body, bytes.
        keeps: the server keeps the connection.
        end: where the body begins.
    """

    status: int
    lines: bytes
    length: int
    keeps: bool
    end: int


def plain_head(data: bytes) -> PlainHead | None:
    """Read the head that `data` begins with; None: it is not whole, or not in the usual form."""
    end = data.find(_END)
    status = _STATUSES.get(data[9:13]) if end > 0 and data.startswith(b"HTTP/1.1 ") else None
    if status is None or end > HEAD_LIMIT_BYTES:
        return None
    lines = data[:end]
    lower = lines.lower()
    length = _length(lower)
    if length is None:
        return None
    at = lower.find(_CONNECTION)
    keeps = at < 0 or lower.startswith(b" keep-alive", at + len(_CONNECTION))
    return PlainHead(status, lines, length, keeps, end + len(_END))


def _length(lower: bytes) -> int | None:
    """Return the length of the body; None unless it is told once, and nothing else is there that could contradict."""
    at = lower.find(_LENGTH)
    if at < 0 or lower.find(_LENGTH, at + 1) >= 0:
        return None
    for sign in _UNUSUAL:
        if sign in lower:
            return None
    if lower.count(b"\n") != lower.count(b"\r\n") or lower.count(b"\r") != lower.count(b"\n"):
        return None
    at += len(_LENGTH)
    end = lower.find(b"\r\n", at)
    digits = lower[at : end if end >= 0 else None].strip(b" ")
    return int(digits) if digits.isdigit() and len(digits) <= 15 else None
