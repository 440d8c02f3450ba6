"""The proxy as a process, configured by environment variables only."""

from __future__ import annotations

from pathlib import Path

from tests.integration.servers import free_port
from tests.integration.sidecar import Sidecar

IMPATIENT = {"DEQUEUER_HEAD_TIMEOUT": "2", "DEQUEUER_BODY_TIMEOUT": "2"}
"""Settings with which a request that the proxy takes for unfinished ends soon."""


class Proxy(Sidecar):
    """One process before a container on this machine. Its log is printed at the end: pytest shows it on failure.

    Args:
        container: port of the container.
        settings: more of them, or others.
    """

    def __init__(self, container: int, **settings: str) -> None:
        self.port = free_port()
        super().__init__(
            {
                "DEQUEUER_PROXY_HOST": "127.0.0.1",
                "DEQUEUER_PROXY_PORT": str(self.port),
                "DEQUEUER_USER_HOST": "127.0.0.1",
                "DEQUEUER_USER_PORT": str(container),
                "DEQUEUER_MAX_CONCURRENCY": "100",
                "DEQUEUER_MAX_QUEUE_LENGTH": "1000",
                "DEQUEUER_PROBES_PATH": "/nonexistent/probes.json",
                "DEQUEUER_SHUTDOWN_DELAY": "0",
                "DEQUEUER_LOG_FORMAT": "json",
                **settings,
            },
            "proxy",
        )

    def __exit__(self, *details: object) -> None:
        super().__exit__(*details)
        print(f"--- proxy of port {self.port}, exit status {self.process.returncode}", *self.lines[-100:], sep="\n")

    def memory_kib(self, field: str = "VmRSS") -> int:
        """Return how much memory it has; `VmHWM`: the most since `reset_peak`."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1])
        raise KeyError(field)

    def reset_peak(self) -> int:
        """Begin a new peak of its memory; return how much it has now, in KiB."""
        Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        return self.memory_kib()
