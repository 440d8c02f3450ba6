"""What the gate asks of a probe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeResult:
    """One look at the container. `detail` is for a log line (clipped, no body of an answer)."""

    ok: bool
    detail: str
    warning: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeTiming:
    """When a probe runs and how many results change its state; times in seconds, as the kubelet has them."""

    initial_delay_s: float = 0.0
    timeout_s: float = 1.0
    period_s: float = 10.0
    success_threshold: int = 1
    failure_threshold: int = 3
    startup_period_s: float = 1.0
    """The longest period until the first success: start-up is not held back by a long period."""


class Probe(Protocol):
    """One readiness check. `check` never takes longer than the probe's time-out."""

    @property
    def name(self) -> str:
        """What logs and metrics call it: bounded, e.g. `web:http_get`."""

    @property
    def timing(self) -> ProbeTiming:
        """When to run it."""

    async def check(self) -> ProbeResult:
        """Look once. Failing is a result; an exception means a bug and counts as a failure."""
