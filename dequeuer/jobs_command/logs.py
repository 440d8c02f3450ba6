"""`dequeuer jobs logs`: prints the logs that the local launcher keeps on this machine."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from dequeuer.commands.output import Output, RawOutput
from dequeuer.core.errors import ConfigurationError, quoted
from dequeuer.files.log_reader import LogReader, log_names
from dequeuer.jobs.layout import JOB_KINDS
from dequeuer.jobs_command import exit_statuses
from dequeuer.jobs_command.options import Options
from dequeuer.terminal.text import visible

FOLLOW_INTERVAL_S: Final = 0.5
WRITE_BYTES: Final = 64 * 1024


async def print_logs(options: Options, work_folder: str | None, output: Output) -> int:
    """Print the logs of a job, with `--follow` until it is cancelled; return the exit status.

    Raises:
        ConfigurationError: there are none here.
    """
    folder = _folder(options, work_folder)
    out = RawOutput(output.stream)
    readers: dict[str, LogReader] = {}
    tail = options.tail
    while True:
        for name in log_names(folder):
            if name not in readers and _is_wanted(name, options.worker):
                readers[name] = LogReader(folder, name, tail)
        tail = None  # a log that appears from now on is new as a whole
        for name, reader in readers.items():
            await _print(name, reader, out, is_last=not options.follows)
        if not options.follows:
            break
        await asyncio.sleep(FOLLOW_INTERVAL_S)
    if not readers:
        output.note(f"dequeuer jobs: there are no such logs in {quoted(str(folder))}: has the worker been started?")
        return exit_statuses.REFUSED
    return exit_statuses.OK


async def _print(name: str, reader: LogReader, out: RawOutput, *, is_last: bool) -> None:
    text = bytearray()
    for line in _lines(reader, is_last=is_last):
        shown = visible(line.decode(errors="replace"), keep="\t").encode() if out.is_terminal else line
        text += b"%b | %b\n" % (visible(name).encode(), shown)
        if len(text) >= WRITE_BYTES:
            await out.write(bytes(text))
            text.clear()
    if text:
        await out.write(bytes(text))


def _lines(reader: LogReader, *, is_last: bool) -> Iterator[bytes]:
    yield from reader.lines()
    if is_last:
        yield from reader.rest()


def _is_wanted(name: str, worker: int | None) -> bool:
    return worker is None or name.partition(".")[0] == f"worker-{worker}"


def _folder(options: Options, work_folder: str | None) -> Path:
    if work_folder is None:
        raise ConfigurationError([f"DEQUEUER_WORK_FOLDER (or --work-folder): is missing; {_WHICH}"])
    for kind in JOB_KINDS:
        folder = Path(work_folder, kind, options.api, options.job, "logs")
        if folder.is_dir() and os.access(folder, os.R_OK | os.X_OK):
            return folder
    fault = (
        f"{quoted(work_folder)} has no logs of the job {options.job} of {options.api} that can be read. The controller "
        f"that runs a job keeps its logs, on its own machine, once it has started it: run this command there; {_WHICH}"
    )
    raise ConfigurationError([fault])


_WHICH: Final = (
    "give the work folder of that controller: its DEQUEUER_WORK_FOLDER, or what its log line controller_started names"
)
