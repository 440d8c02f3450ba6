"""What is known of a container, as in `containerStatuses` of a pod."""

from __future__ import annotations

import signal
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Terminated:
    """How a run of a container ended. `exit_code`: 128 and the signal, for one that was killed."""

    exit_code: int
    reason: str

    @classmethod
    def of(cls, status: int, *, is_oom: bool) -> Terminated:
        """Return the end of a process. `status`: negative for a signal. `is_oom`: the kernel killed it for memory."""
        exit_code = 128 - status if status < 0 else status
        reason = "OOMKilled" if is_oom else "Error" if exit_code else "Completed"
        return cls(exit_code=exit_code, reason=reason)


@dataclass(slots=True, kw_only=True)
class ContainerStatus:
    """What is known of a container.

    Attributes:
        running: its process runs.
        started: the startup probe has succeeded, or there is none and the process runs.
        ready: the readiness probe succeeds, or there is none and it has started.
        restart_count: how often it was started after the first time.
        state: how it ended, if it does not run.
        last_state: how the run before the present one ended.
    """

    running: bool = False
    started: bool = False
    ready: bool = False
    restart_count: int = 0
    state: Terminated | None = None
    last_state: Terminated | None = None

    def begin(self) -> None:
        """Note that its process runs."""
        if self.state is not None:
            self.last_state, self.state = self.state, None
            self.restart_count += 1
        self.running = True

    def end(self, terminated: Terminated) -> None:
        """Note that its process has ended."""
        self.running = self.started = self.ready = False
        self.state = terminated


SIGKILLED = 128 + signal.SIGKILL
"""The exit code of a container that did not end within its grace period, or had no memory."""
