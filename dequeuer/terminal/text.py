"""Foreign text for a terminal, and how wide it is there."""

from __future__ import annotations

import re
import unicodedata

# Everything else is looked at more closely; nearly all text is this.
_PLAIN = re.compile(r"[ -~]*")


def visible(text: str, keep: str = "") -> str:
    r"""Return text that cannot act on a terminal: what is not printable is written as in Python (`\x1b`).

    Escape sequences move the cursor, set the clipboard, or answer for the user; characters of direction reorder what
    is read.

    Args:
        text: from outside.
        keep: characters that stay, such as a tab.
    """
    if _PLAIN.fullmatch(text):
        return text
    return "".join(ch if ch in keep or _is_shown(ch) else _escape(ch) for ch in text)


def visible_json(text: str) -> str:
    r"""Return JSON text that cannot act on a terminal, of the same value: `\u001b`. Line breaks stay.

    Hazard: only JSON whose control characters U+0000 to U+001F are escaped already stays JSON.
    """
    return "".join(ch if ch == "\n" or ch.isprintable() else _json_escape(ch) for ch in text)


def ascii_json(text: str) -> str:
    r"""Return JSON text of the same value in ASCII: `\u00e9`. See `visible_json`."""
    return "".join(ch if ch.isascii() else _json_escape(ch) for ch in text)


def cells(text: str) -> int:
    """Return how many columns of a terminal a visible text takes."""
    if _PLAIN.fullmatch(text):
        return len(text)
    return sum(map(_width, text))


def clip_cells(text: str, columns: int) -> str:
    """Return the beginning of a visible text that fits into some columns."""
    if cells(text) <= columns:
        return text
    kept, room = [], columns - 1
    for ch in text:
        room -= _width(ch)
        if room < 0:
            break
        kept.append(ch)
    return "".join(kept) + "\N{HORIZONTAL ELLIPSIS}"


def _is_shown(ch: str) -> bool:
    return ch.isprintable() or unicodedata.category(ch) == "Zs"


def _escape(ch: str) -> str:
    return ch.encode("unicode_escape").decode()


def _json_escape(ch: str) -> str:
    # JSON has no escape above U+FFFF: such a character is a pair of surrogates.
    data = ch.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{data[at]:02x}{data[at + 1]:02x}" for at in range(0, len(data), 2))


def _width(ch: str) -> int:
    if unicodedata.combining(ch) or unicodedata.category(ch) in {"Mn", "Me"}:
        return 0
    return 2 if unicodedata.east_asian_width(ch) in {"W", "F"} else 1
