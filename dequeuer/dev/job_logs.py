"""Shows what the containers of jobs print: the controller writes it into files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from dequeuer.files.log_reader import OLDER, LogReader
from dequeuer.process.child_output import MAX_LINE_CHARACTERS

INTERVAL_S: Final = 0.25
MAX_LINES_A_LOOK: Final = 500
"""Of a container. One that prints more is shown later."""
_PATTERN = "*/*/*/logs/worker-*.log"
_HIDDEN = (".sidecar.log", OLDER)


class JobLogs:
    """Reads the logs of containers below the work folder of a controller.

    Args:
        work_folder: of the controller.
        on_line: called with the name of an API, the name of a container and a line.
    """

    def __init__(self, work_folder: Path, on_line: Callable[[str, str, str], None]) -> None:
        self._work_folder = work_folder
        self._on_line = on_line
        self._readers: dict[Path, LogReader] = {}
        self._unread: dict[Path, Iterator[bytes]] = {}

    async def follow(self) -> None:
        """Look for new lines until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(INTERVAL_S)

    def look(self) -> None:
        """Show the lines that came since the last look."""
        try:
            paths = sorted(self._work_folder.glob(_PATTERN))
        except OSError:  # no more open files, or a folder was removed meanwhile: the next look shows all
            return
        for path in paths:
            if not path.name.endswith(_HIDDEN):
                self._look_at(path)

    def _look_at(self, path: Path) -> None:
        reader = self._readers.setdefault(path, LogReader(path.parent, path.stem))
        lines = self._unread.pop(path, None) or reader.lines()
        count = 0
        try:
            for line in islice(lines, MAX_LINES_A_LOOK):
                count += 1
                self._on_line(path.parts[-4], path.stem, line.decode(errors="replace")[:MAX_LINE_CHARACTERS])
        except OSError:
            return
        if count == MAX_LINES_A_LOOK:
            self._unread[path] = lines
