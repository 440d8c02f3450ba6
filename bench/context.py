"""What every measurement needs: servers, a folder, and how much to measure."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.rows import Amounts
from bench.servers import Servers
from bench.sidecar import Setup, Sidecar, environment, running


@dataclass(frozen=True, slots=True, kw_only=True)
class RunContext:
    """One run of the benchmark.

    Attributes:
        servers: the servers for the CPU rows: canned ones or nginx.
        own: the canned servers, for rows that need their timing or their sizes.
        folder: the folder for all files.
        amounts: how much is measured.
        runs: the number of runs of each CPU row.
        client: the value of `DEQUEUER_AWS_CLIENT`; None means the default.
    """

    servers: Servers
    own: Servers
    folder: Path
    amounts: Amounts
    runs: int
    client: str | None

    @contextmanager
    def sidecar(self, servers: Servers, setup: Setup) -> Iterator[Sidecar]:
        """Make the servers serve `setup.shape`; run a sidecar with them until the end of the block."""
        servers.begin(setup.shape)
        with running(environment(servers, setup, self.folder, self.client), self.folder) as sidecar:
            yield sidecar


def print_progress(text: str) -> None:
    """Write a line about the progress to standard error."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
