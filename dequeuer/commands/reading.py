"""Reads what a command sends: a file, or standard input."""

from __future__ import annotations

import asyncio

from dequeuer.core.errors import ConfigurationError, quoted
from dequeuer.files.reading import STANDARD_INPUT, UnreadableError, read_bounded


async def read_input(path: str, max_bytes: int, *, what: str, smaller: str) -> bytes:
    """Return the content of a file, or of standard input for `-`.

    Args:
        path: of a regular file.
        max_bytes: what is larger is a fault.
        what: the file should be.
        smaller: what to do with too much.

    Raises:
        ConfigurationError: it cannot be read, or is larger.
    """
    if path == STANDARD_INPUT:
        # A pipe that nobody writes to blocks the thread, not the signals.
        data = await asyncio.to_thread(_read_standard_input, max_bytes)
        if len(data) > max_bytes:
            raise ConfigurationError([f"standard input is larger than {max_bytes} bytes; {smaller}"])
        return data
    try:
        return await asyncio.to_thread(read_bounded, path, max_bytes)
    except UnreadableError as error:
        action = smaller if "larger" in str(error) else f"name {what}, or - for standard input"
        raise ConfigurationError([f"{quoted(path)} {error}; {action}"]) from None


def _read_standard_input(max_bytes: int) -> bytes:
    with open(0, "rb", closefd=False) as file:
        return file.read(max_bytes + 1)
