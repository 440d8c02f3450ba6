"""Everything that a run has measured."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.cpu import CpuResult
from bench.distance import Distance
from bench.memory import Soak
from bench.quiet import Start
from bench.spread import Spread


@dataclass(slots=True, kw_only=True)
class Results:
    """Filled row by row; what was not measured stays empty.

    Attributes:
        about: the run: machine, versions, options.
        cpu: rows of CPU, by name.
        distance: throughput with queue and store some milliseconds away.
        busy_mib: peak with 100 workers, all of them busy.
        memory: peak MiB by size of payload and result.
        start: start-up.
        latency_s: from a message on an idle queue to its POST.
        idle_percent: of a core.
        soak: memory over many messages.
        void: rows that came to nothing, and why.
    """

    about: dict[str, str] = field(default_factory=dict)
    cpu: dict[str, CpuResult] = field(default_factory=dict)
    distance: Distance | None = None
    busy_mib: float | None = None
    memory: dict[str, float] = field(default_factory=dict)
    start: Start | None = None
    latency_s: Spread | None = None
    idle_percent: float | None = None
    soak: Soak | None = None
    void: dict[str, str] = field(default_factory=dict)
