"""Parts of the tests: `PART=2/3` selects the second of three.

A part has tests of every file. Which tests are in it depends on their names alone.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable


def part_of(text: str) -> Callable[[str], bool]:
    """Return whether a test is in the part that `text` names. An empty text names all tests.

    Raises:
        ValueError: it names no part.
    """
    if not text:
        return lambda _: True
    found = re.fullmatch(r"([1-9][0-9]{0,2})/([1-9][0-9]{0,2})", text)
    if found is None or int(found[1]) > int(found[2]):
        raise ValueError(f'PART is "{text}"; it is <part>/<parts>, from 1/1 to 999/999, like 2/3')
    part, parts = int(found[1]), int(found[2])
    return lambda nodeid: zlib.crc32(nodeid.encode()) % parts == part - 1
