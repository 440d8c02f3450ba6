"""What every measurement needs: servers, a folder, and how much to do."""

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
class Stand:
    """One run of the benchmark.

    Attributes:
        servers: with which the canned rows are measured.
        own: the canned servers alone, for whatever needs their timing or their sizes.
        folder: for everything that is written.
        amounts: how much is measured.
        runs: of each row of CPU.
        client: value of `DEQUEUER_AWS_CLIENT`; None: the default.
    """

    servers: Servers
    own: Servers
    folder: Path
    amounts: Amounts
    runs: int
    client: str | None

    @contextmanager
    def sidecar(self, servers: Servers, setup: Setup) -> Iterator[Sidecar]:
        """Have the servers serve the shape, and run a sidecar on them until the end of the block."""
        servers.begin(setup.shape)
        with running(environment(servers, setup, self.folder, self.client), self.folder) as sidecar:
            yield sidecar


def say(text: str) -> None:
    """Tell whoever waits what is being done."""
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()
