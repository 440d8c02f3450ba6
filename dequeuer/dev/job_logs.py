"""Shows what the containers of jobs print: the controller writes it into files."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final

from dequeuer.process.child_output import MAX_LINE_CHARACTERS

INTERVAL_S: Final = 0.25
MAX_BYTES_A_LOOK: Final = 64 * 1024
"""Of a file. A container that prints more is shown later."""
_PATTERN = "*/*/*/logs/worker-*.log"
_HIDDEN = (".sidecar.log", ".1.log")


class JobLogs:
    """Reads the logs of containers below the work folder of a controller.

    Args:
        work_folder: of the controller.
        on_line: called with the name of an API, the name of a container and a line.
    """

    def __init__(self, work_folder: Path, on_line: Callable[[str, str, str], None]) -> None:
        self._work_folder = work_folder
        self._on_line = on_line
        self._read: dict[Path, int] = {}

    async def follow(self) -> None:
        """Look for new lines until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(INTERVAL_S)

    def look(self) -> None:
        """Show the lines that came since the last look."""
        for path in sorted(self._work_folder.glob(_PATTERN)):
            if not path.name.endswith(_HIDDEN):
                self._look_at(path)

    def _look_at(self, path: Path) -> None:
        begin = self._read.get(path, 0)
        try:
            with path.open("rb") as file:
                if file.seek(0, 2) < begin:
                    begin = 0  # a new file: the old one became large
                file.seek(begin)
                data = file.read(MAX_BYTES_A_LOOK)
        except OSError:
            return
        end = data.rfind(b"\n") + 1
        self._read[path] = begin + end
        api, container = path.parts[-4], path.stem
        for line in data[:end].decode(errors="replace").splitlines():
            self._on_line(api, container, line[:MAX_LINE_CHARACTERS])
