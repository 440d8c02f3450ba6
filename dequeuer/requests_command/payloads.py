"""The payloads of `submit`: of files, of the lines of files, of standard input, or of the command line."""

from __future__ import annotations

import asyncio
import os
import stat
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dequeuer.commands.reading import read_input
from dequeuer.core.errors import ConfigurationError, DequeuerError, clip, quoted
from dequeuer.files.reading import STANDARD_INPUT
from dequeuer.formats.json_text import check_json
from dequeuer.formats.media_type import JSON
from dequeuer.requests_command.options import SubmitArguments

MAX_PAYLOAD_BYTES: Final = 256 << 20
"""A payload is in memory as a whole: it may have to be sent again."""
READ_BYTES: Final = 64 * 1024
BYTES: Final = "application/octet-stream"

_SMALLER: Final = "send a larger payload with `curl --data-binary @FILE`"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """A payload of several, or the only one.

    Attributes:
        index: its place among all of them, from 0.
        name: where it comes from, for people; "" when that is clear.
        data: what is submitted.
        content_type: of the data.
        fault: why it cannot be submitted; "" when it can.
    """

    index: int
    name: str
    data: bytes
    content_type: str
    fault: str = ""


def check_files(files: tuple[str, ...]) -> None:
    """Look at the files before the first is sent. Raises `ConfigurationError` with every fault."""
    faults = [fault for path in files if path != STANDARD_INPUT and (fault := _fault(path))]
    if faults:
        raise ConfigurationError(faults)


async def payloads(options: SubmitArguments) -> AsyncGenerator[Payload, None]:
    """Yield the payloads one after the other. Raises `ConfigurationError` and `OSError`."""
    if options.data is not None:
        # What the locale could not decode stays the bytes that were typed.
        yield _payload(0, "", os.fsencode(options.data), options)
        return
    index = 0
    for path in options.files:
        if not options.splits_lines:
            data = await read_input(path, MAX_PAYLOAD_BYTES, what="the file of a payload", smaller=_SMALLER)
            yield _payload(index, clip(path), data, options)
            index += 1
            continue
        number = 0
        async with aclosing(_lines(path)) as lines:
            async for line in lines:
                number += 1
                if line.strip():
                    yield _payload(index, f"{_title(path)}, line {number}", line, options)
                    index += 1


def _payload(index: int, name: str, data: bytes, options: SubmitArguments) -> Payload:
    if options.content_type is not None:
        return Payload(index=index, name=name, data=data, content_type=options.content_type)
    fault = ""
    content_type = JSON
    try:
        check_json(data)
    except DequeuerError:
        if options.splits_lines:
            fault = "is no JSON; correct it, or say what it is with --content-type"
        content_type = BYTES
    return Payload(index=index, name=name, data=data, content_type=content_type, fault=fault)


async def _lines(path: str) -> AsyncGenerator[bytes, None]:
    """Yield the lines of a file or of standard input, without their ends, as they come."""
    descriptor = 0 if path == STANDARD_INPUT else os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    line = bytearray()
    number = 1
    try:
        # A pipe that nobody writes to blocks the thread, not the signals.
        while chunk := await asyncio.to_thread(os.read, descriptor, READ_BYTES):
            *ended, rest = chunk.split(b"\n")
            for part in ended:
                line += part
                yield bytes(line).removesuffix(b"\r")
                line.clear()
                number += 1
            line += rest
            if len(line) > MAX_PAYLOAD_BYTES:
                fault = f"{_title(path)}, line {number} is larger than {MAX_PAYLOAD_BYTES} bytes; {_SMALLER}"
                raise ConfigurationError([fault])
        if line:
            yield bytes(line)
    finally:
        if descriptor != 0:
            os.close(descriptor)


def _title(path: str) -> str:
    return "standard input" if path == STANDARD_INPUT else clip(path)


def _fault(path: str) -> str:
    try:
        mode = Path(path).stat().st_mode
    except OSError as error:
        return f"{quoted(path)} cannot be read ({clip(error.strerror or type(error).__name__)}); {_NAME}"
    except ValueError:
        return f"{quoted(path)} cannot be read (its path holds a NUL); {_NAME}"
    if not stat.S_ISREG(mode):
        return f"{quoted(path)} is no regular file; {_NAME}"
    return "" if os.access(path, os.R_OK) else f"{quoted(path)} cannot be read (Permission denied); {_NAME}"


_NAME: Final = "name the file of a payload, or - for standard input"
