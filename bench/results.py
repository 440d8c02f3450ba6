"""All measurements of a run."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench.cpu import CpuResult
from bench.distance import Distance
from bench.enqueuer import EnqueuerResult
from bench.gateway.run import GatewayResult
from bench.gateway.waiters import WaitersResult
from bench.memory import Soak
from bench.proxy.results import Holding, ProxyResult
from bench.spread import Spread
from bench.startup_and_idle import Start


@dataclass(slots=True, kw_only=True)
class Results:
    """Filled row by row. A row that was not measured stays empty.

    Attributes:
        about: machine, versions and options of the run.
        cpu: results of the CPU rows, by name.
        distance: throughput with queue and store some milliseconds away.
        busy_mib: peak memory with 100 workers, all of them busy.
        memory: peak memory in MiB, by size of payload and result.
        start: start-up times.
        latency_s: time from sending a message to an idle queue to its POST.
        idle_percent: CPU while the queue is empty, in percent of a core.
        enqueuer: items a second, CPU and memory of the enqueuer.
        gateway: submissions.
        waiters: clients that wait at the gateway.
        proxy: small requests through the proxies.
        proxy_memory: memory of the proxies, and large bodies, by name.
        soak: memory over many messages.
        void: rows whose result cannot be used, and why.
    """

    about: dict[str, str] = field(default_factory=dict)
    cpu: dict[str, CpuResult] = field(default_factory=dict)
    distance: Distance | None = None
    busy_mib: float | None = None
    memory: dict[str, float] = field(default_factory=dict)
    start: Start | None = None
    latency_s: Spread | None = None
    idle_percent: float | None = None
    enqueuer: EnqueuerResult | None = None
    gateway: GatewayResult | None = None
    waiters: WaitersResult | None = None
    proxy: ProxyResult | None = None
    proxy_memory: dict[str, Holding] = field(default_factory=dict)
    soak: Soak | None = None
    void: dict[str, str] = field(default_factory=dict)
