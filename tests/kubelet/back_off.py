"""How long the kubelet waits before it starts a container again."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class BackOff:
    """The first restart is at once, the second after `first_s`, each further one after twice as long, up to `longest_s`.

    The kubelet's forgets what happened after ten minutes without an end; pods of tests do not live for so long.
    """

    first_s: float = 10.0
    longest_s: float = 300.0

    def pause_s(self, restarts: int) -> float:
        """Return how long to wait. `restarts`: that were done before."""
        return min(self.longest_s, self.first_s * 2 ** (restarts - 1)) if restarts else 0.0
