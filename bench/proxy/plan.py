"""What the raw client is asked to send, and what it measures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """What is sent.

    Attributes:
        mode: `closed`: each connection has always one request under way; `submit`: the same with submissions; `paced`:
            requests begin at random times, at a rate; `idle`: each connection has had one request; `streams`: each
            connection has an endless response; `download` and `upload`: one body; `wait`: each connection waits for a
            request.
        port: of the proxy.
        pid: whose CPU and memory is measured; 0: nobody's.
        connections: their number.
        warm: requests before the measured ones.
        measured: requests that are measured.
        rate: requests a second of `paced`.
        size: bytes of the body of `download` and `upload`.
        wait_s: how long each connection of `wait` waits.
    """

    mode: Literal["closed", "submit", "paced", "idle", "streams", "download", "upload", "wait"]
    port: int
    pid: int = 0
    connections: int = 1
    warm: int = 0
    measured: int = 0
    rate: float = 0.0
    size: int = 0
    wait_s: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What was measured.

    Attributes:
        requests: that were measured.
        took_s: of the measured part.
        cpu_s: that the process used in it.
        peak_mib: its peak memory.
        own_cpu_s: what the raw client itself used.
        latencies_s: p50, p99, p99.9 of `paced`.
    """

    requests: int
    took_s: float
    cpu_s: float
    peak_mib: float
    own_cpu_s: float
    latencies_s: tuple[float, float, float] = (0.0, 0.0, 0.0)
