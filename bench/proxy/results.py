"""What is measured of the proxies."""

from __future__ import annotations

from dataclasses import dataclass

from bench.spread import Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """Milliseconds."""

    p50: Spread
    p99: Spread
    p999: Spread


@dataclass(frozen=True, slots=True, kw_only=True)
class Forwarding:
    """Small requests through one program.

    Attributes:
        cpu_us: CPU time a request, while each of the connections has always one under way.
        per_s: requests a second then.
        rate: requests a second while latency was measured, at half load.
        paced_us: CPU time a request then.
        added_ms: latency above that without a proxy.
    """

    cpu_us: Spread
    per_s: Spread
    rate: float
    paced_us: Spread
    added_ms: Latency


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyResult:
    """Small requests through all programs.

    Attributes:
        programs: by name.
        direct_ms: latency without a proxy.
        to_floor: CPU of `dequeuer proxy` / CPU of the floor at the same rate, of each round: half of what the proxy
            can do.
        to_full_floor: the same, each as fast as it can. The floor is then woken less often than the proxy.
        to_usual: CPU of `dequeuer proxy` / CPU of the proxy with aiohttp, each as fast as it can.
        to_starlette: the same to uvicorn with Starlette and httpx; None when it was not measured.
        client_us: CPU a request of the raw client.
    """

    programs: dict[str, Forwarding]
    direct_ms: Latency
    to_floor: Spread
    to_full_floor: Spread
    to_usual: Spread
    to_starlette: Spread | None
    client_us: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Memory of one program, in MiB: with streams, with idle connections, at most while a large body went through."""

    streams_mib: float
    idle_mib: float
    download_mib: float
    upload_mib: float
    download_mib_per_s: float
    upload_mib_per_s: float
