"""Writes results as they come, to standard output or to a file: what was cut off never looks like the whole."""

from __future__ import annotations

import asyncio
import codecs
import os
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from itertools import count
from pathlib import Path
from typing import Final, TypeAlias

from dequeuer.client.errors import GatewayLostError, GatewayUnavailableError
from dequeuer.client.retrying import Retries, pause_s
from dequeuer.commands.output import Output, RawOutput
from dequeuer.commands.replacing import replacing
from dequeuer.core.retry import Backoff
from dequeuer.terminal.text import visible_json

FILE_BACKOFF: Final = Backoff(initial_s=1.0, max_s=16.0, min_share=0.5)
FILE_ATTEMPTS: Final = 10
"""A file is written anew when the connection breaks. What was printed cannot be taken back."""

Open: TypeAlias = Callable[[], AbstractAsyncContextManager[AsyncIterator[bytes]]]
"""Asks for the results, from their begin."""


async def print_chunks(chunks: AsyncIterator[bytes], output: Output, *, cut_off: str) -> None:
    """Write results to standard output: byte for byte, or made visible, with a line break, where it is a terminal.

    `cut_off`: is said when they end early, after their begin.
    """
    out = RawOutput(output.stream)
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    has_begun, ends_line = False, True
    try:
        async for chunk in chunks:
            has_begun = True
            if not out.is_terminal:
                await out.write(chunk)
            elif text := visible_json(decoder.decode(chunk)):
                ends_line = text.endswith("\n")
                await out.write(text.encode())
    except GatewayLostError:
        if has_begun:
            output.note(cut_off)
        raise
    if not ends_line:
        await out.write(b"\n")


async def save_chunks(opened: Open, path: Path, retries: Retries) -> None:
    """Write results to a file, which is replaced once they are whole, and written anew when the connection breaks.

    `retries`: of the client, which know whether the gateway has answered; the file has repeats of its own.
    """
    for failures in count():
        try:
            with retries.noted():
                async with opened() as chunks:
                    await _save(chunks, path)
                    return
        except GatewayUnavailableError as error:
            if failures + 1 >= FILE_ATTEMPTS or not retries.is_outage(error):
                raise
            wait_s = pause_s(error, FILE_BACKOFF, failures)
        await asyncio.sleep(wait_s)


async def _save(chunks: AsyncIterator[bytes], path: Path) -> None:
    with replacing(path) as file:
        async for chunk in chunks:
            file.write(chunk)
        file.flush()
        # Of many GB it takes minutes. Whoever is interrupted meanwhile leaves no file, also none in part.
        await asyncio.to_thread(os.fsync, file.fileno())
