"""Containers as processes: an application under a web server of Python."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Self

from tests.integration.servers import free_port, listens
from tests.integration.sidecar import ROOT
from tests.integration.waiting import DEADLINE_S, eventually

APP = "tests.integration.proxy.apps:every_method"
UVICORN = ("-m", "uvicorn", APP, "--host", "127.0.0.1", "--no-access-log", "--log-level", "warning")
UVICORN_H11 = (*UVICORN, "--http", "h11")
"""Its parser takes any method."""
GUNICORN = (
    *("-m", "gunicorn", APP, "--worker-class", "uvicorn.workers.UvicornWorker", "--workers", "1"),
    *("--log-level", "warning", "--graceful-timeout", "30"),
)
SERVERS = {"uvicorn": UVICORN, "uvicorn-h11": UVICORN_H11, "gunicorn": GUNICORN}


class Container:
    """One process, with those that it starts. Its output is printed at the end: pytest shows it on failure.

    Args:
        server: of `SERVERS`.
        port: where it listens; None: any free port.
        folder: for its output.
    """

    def __init__(self, server: str, folder: Path, port: int | None = None) -> None:
        self.port = port or free_port()
        place = ("--bind", f"127.0.0.1:{self.port}") if server == "gunicorn" else ("--port", str(self.port))
        self._output = folder / f"{server}-{self.port}-{free_port()}.log"
        with self._output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, *SERVERS[server], *place],
                env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(folder)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=folder,
                start_new_session=True,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
        text = self._output.read_text(errors="replace")[-5000:]
        print(f"--- container of port {self.port}, exit status {self.process.returncode}", text, sep="\n")

    def wait_ready(self) -> Self:
        """Wait until it accepts connections."""
        ended = self.process.poll
        eventually(lambda: listens(self.port) or ended() is not None, f"the container to listen on {self.port}")
        assert ended() is None, self._output.read_text(errors="replace")
        return self

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to all of its processes."""
        os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """End it with SIGKILL, unless it has ended."""
        if self.process.poll() is None:
            self.signal(signal.SIGKILL)
        self.process.wait(DEADLINE_S)

    def terminate(self) -> None:
        """Send SIGTERM to the first process, as the kubelet does."""
        self.process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """Wait for its end; return the exit status."""
        return self.process.wait(DEADLINE_S)
