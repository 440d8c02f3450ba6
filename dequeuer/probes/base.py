"""The protocol of a probe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """The result of one check. `detail` is for a log line: clipped, without bytes of a response's body."""

    ok: bool
    detail: str
    warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeTiming:
    """When a probe runs, and how many results in a row change its state, as in the kubelet. Times in seconds."""

    initial_delay_s: float = 0.0
    timeout_s: float = 1.0
    period_s: float = 10.0
    success_threshold: int = 1
    failure_threshold: int = 3
    startup_period_s: float = 1.0
    """The longest period until the first success, so that a long period does not delay the start."""


class Probe(Protocol):
    """One readiness probe. `check` never takes longer than the timeout of the probe."""

    @property
    def name(self) -> str:
        """The name in logs and metrics, for example `web:http_get`. Of limited length."""

    @property
    def timing(self) -> ProbeTiming:
        """When to run it."""

    async def check(self) -> ProbeResult:
        """Check once. A failure is a result; an exception is a bug and counts as a failure."""
