"""Values of fields that are the same in nearly every head: they are read once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final, TypeVar

MAX_REMEMBERED: Final = 128
"""Values, for each of their readers."""
MAX_REMEMBERED_BYTES: Final = 256
"""Of a value: who sends it chooses its length."""
T = TypeVar("T")


def remembered(read: Callable[[bytes], T]) -> Callable[[bytes], T]:
    """Remember what a few short values mean. `read` must always return the same for the same value."""
    short = lru_cache(maxsize=MAX_REMEMBERED)(read)
    return lambda value: short(value) if len(value) <= MAX_REMEMBERED_BYTES else read(value)


def connection_options(values: Sequence[bytes]) -> frozenset[bytes]:
    """Return what the fields `Connection` name, in lower case."""
    return _options(values[0] if len(values) == 1 else b",".join(values))


@remembered
def _options(value: bytes) -> frozenset[bytes]:
    return frozenset(option for part in value.split(b",") if (option := part.strip(b" \t").lower()))
