"""Parts: `PART=2/3` selects the second of three of the tests, `SIMULATION_PART=2/3` of the worlds of the simulation.

A part has tests of every file. Which tests are in it depends on their names alone.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable


def part_of(text: str) -> Callable[[str], bool]:
    """Return whether a test is in the part that `text`, the value of `PART`, names. An empty text names all tests.

    Raises:
        ValueError: it names no part.
    """
    part, parts = _read("PART", text)
    return lambda nodeid: zlib.crc32(nodeid.encode()) % parts == part - 1


def worlds_of(text: str, count: int) -> range:
    """Return which of `count` worlds are in the part that `text`, the value of `SIMULATION_PART`, names.

    Raises:
        ValueError: it names no part.
    """
    part, parts = _read("SIMULATION_PART", text)
    return range(count * (part - 1) // parts, count * part // parts)


def _read(name: str, text: str) -> tuple[int, int]:
    found = re.fullmatch(r"([1-9][0-9]{0,2})/([1-9][0-9]{0,2})", text or "1/1")
    if found is None or int(found[1]) > int(found[2]):
        raise ValueError(f'{name} is "{text}"; it is <part>/<parts>, from 1/1 to 999/999, like 2/3')
    return int(found[1]), int(found[2])
