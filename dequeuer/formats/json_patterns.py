"""Regular expressions for the regular parts of JSON text: whitespace, strings, and containers of small depth.

Hazards:
- Possessive quantifiers (`*+`) stand only after character sets: after groups, Python before 3.11.5 matches wrongly.
- Each group can match a text in one way only. Otherwise a text that does not match would be tried in exponentially
  many ways.
"""

from __future__ import annotations

import re
from typing import Final

MAX_MATCH_BYTES: Final = 16 * 1024
"""Bytes matched at a time. A match over many tiny values takes up to 200 times their size in memory."""

_WHITESPACE = rb"[ \t\n\r]*+"
_STRING_BODY = rb'[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*'
NUMBER: Final = rb"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?"
_SCALAR = rb'(?:"' + _STRING_BODY + rb'"|' + NUMBER + rb"|true|false|null)"
_NAME = _WHITESPACE + rb'"' + _STRING_BODY + rb'"' + _WHITESPACE + rb":"


def _nested(value: bytes, levels: int) -> bytes:
    """Return the pattern of a value with up to `levels` levels of containers. Each level doubles the pattern's size."""
    if not levels:
        return value
    item = _WHITESPACE + _nested(value, levels - 1) + _WHITESPACE
    # The item is written once, not twice, to keep the pattern small: after it comes a comma that something follows,
    # or the end of the container.
    array = rb"\[" + _WHITESPACE + rb"(?:" + item + rb"(?:,(?!" + _WHITESPACE + rb"\])|(?=\])))*\]"
    members = rb"\{" + _WHITESPACE + rb"(?:" + _NAME + item + rb"(?:,(?!" + _WHITESPACE + rb"\})|(?=\})))*\}"
    return rb"(?:" + value + rb"|" + array + rb"|" + members + rb")"


_VALUE = _nested(_SCALAR, 2)

replace_strings = re.compile(rb'"' + _STRING_BODY + rb'"').sub
"""Replaces strings."""
match_openings = re.compile(rb"(?:[\[ \t\n\r]++|\{" + _NAME + rb")*").match
"""Matches the beginnings of containers that begin with each other; of objects also the first name, with its colon."""
match_closings = re.compile(rb"(?:[ \t\n\r]*+[\]}])*").match
"""Matches the ends of containers."""

match_whitespace = re.compile(_WHITESPACE).match
"""Always matches, possibly the empty text; so do all others, but `match_value`."""
match_string_body = re.compile(_STRING_BODY).match
match_digits = re.compile(rb"[0-9]*+").match
match_value = re.compile(_nested(_SCALAR, 3)).match
"""Matches a whole value with up to three levels of containers."""
match_items = re.compile(rb"(?:" + _WHITESPACE + _VALUE + _WHITESPACE + rb",)*").match
"""Matches items of an array, each with the comma after it."""
match_members = re.compile(rb"(?:" + _NAME + _WHITESPACE + _VALUE + _WHITESPACE + rb",)*").match
"""Matches members of an object, each with the comma after it."""
