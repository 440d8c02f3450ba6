"""The targets, and the figures of the Go original. Ratios are to the floor with the requests of Cortex's format."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bench.results import Results


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One target.

    Attributes:
        what: what is measured.
        go: the figure of the Go original, as text.
        nearer: the first target, a maximum.
        farther: the second target, a maximum.
        unit: appended to the figures.
        digits: the number of digits after the decimal point.
        measured: returns the figure from the results; None when it was not measured.
    """

    what: str
    go: str
    nearer: float
    farther: float
    unit: str
    digits: int
    measured: Callable[[Results], float | None]


SOAK_MESSAGES: Final = 50_000
GO_RATIOS: Final = {
    "async-16": ("HTTP", 11.0),
    "tls-16": ("TLS", 18.0),
    "paced-tls-16": ("TLS, 50 messages/s", 3.3),
}
"""Label and figure of the Go original for the picture, by row."""


def _ratio(name: str) -> Callable[[Results], float | None]:
    return lambda results: results.cpu[name].ratio.median if name in results.cpu else None


def _growth(results: Results) -> float | None:
    return results.memory["100 MB"] / results.memory["10 MB"] if results.memory else None


def _soak(results: Results) -> float | None:
    # A shorter soak does not prove the target.
    return results.soak.apart * 100 if results.soak and results.soak.messages >= SOAK_MESSAGES else None


_OF_MESSAGES: Final = (
    Target(
        what="CPU a message to the floor, 16 workers, HTTP",
        go="11x",
        nearer=5,
        farther=3,
        unit="x",
        digits=1,
        measured=_ratio("async-16"),
    ),
    Target(
        what="CPU a message to the floor, 16 workers, TLS",
        go="18x",
        nearer=5,
        farther=3,
        unit="x",
        digits=1,
        measured=_ratio("tls-16"),
    ),
    Target(
        what="CPU a message to the floor, paced at 50/s, TLS",
        go="3.3x",
        nearer=3,
        farther=2,
        unit="x",
        digits=1,
        measured=_ratio("paced-tls-16"),
    ),
    Target(
        what="times slower with the queue 20 ms away, 100 workers",
        go="-",
        nearer=1.25,
        farther=1.05,
        unit="x",
        digits=2,
        measured=lambda results: 1 / results.distance.queue_share.median if results.distance else None,
    ),
    Target(
        what="times slower with the store 20 to 30 ms away, too",
        go="-",
        nearer=1.25,
        farther=1.05,
        unit="x",
        digits=2,
        measured=lambda results: 1 / results.distance.all_share.median if results.distance else None,
    ),
    Target(
        what="AWS requests a message, standard wire format",
        go="9",
        nearer=6.5,
        farther=4.3,
        unit="",
        digits=2,
        measured=lambda results: results.cpu["async-16"].aws_requests.median if "async-16" in results.cpu else None,
    ),
    Target(
        what="peak RSS, 100 workers, all of them busy",
        go="68-78 MB",
        nearer=80,
        farther=64,
        unit=" MiB",
        digits=1,
        measured=lambda results: results.busy_mib,
    ),
    Target(
        what="process start to first POST",
        go="2.0-3.0 s",
        nearer=1.0,
        farther=0.6,
        unit=" s",
        digits=2,
        measured=lambda results: results.start.first_post_s.median if results.start else None,
    ),
    Target(
        what="a message on a long-idle queue, sent to POST",
        go="up to 10 s",
        nearer=0.1,
        farther=0.1,
        unit=" s",
        digits=3,
        measured=lambda results: results.latency_s.median if results.latency_s else None,
    ),
    Target(
        what="big payloads and results: memory at 100 MB to 10 MB",
        go="buffered whole",
        nearer=1.1,
        farther=1.1,
        unit="x",
        digits=2,
        measured=_growth,
    ),
    Target(
        what="CPU when idle",
        go="-",
        nearer=0.5,
        farther=0.5,
        unit=" %",
        digits=2,
        measured=lambda results: results.idle_percent,
    ),
    Target(
        what="memory over 50,000 messages: last quarter above the first",
        go="-",
        nearer=5,
        farther=5,
        unit=" %",
        digits=1,
        measured=_soak,
    ),
)


TARGETS: Final = (
    *_OF_MESSAGES,
    Target(
        what="seconds of the gateway for 1,000 submissions",
        go="-",
        nearer=1,
        farther=0.5,
        unit=" s",
        digits=2,
        measured=lambda results: 1000 / results.gateway.per_s.median if results.gateway else None,
    ),
    Target(
        what="memory of the gateway with 10,000 clients that wait",
        go="-",
        nearer=300,
        farther=300,
        unit=" MiB",
        digits=0,
        measured=lambda results: (
            results.waiters.peak_mib if results.waiters and results.waiters.waiters >= 10_000 else None
        ),
    ),
    Target(
        what="CPU a request of the proxy to the floor, half load",
        go="-",
        nearer=3,
        farther=3,
        unit="x",
        digits=1,
        measured=lambda results: results.proxy.to_floor.median if results.proxy else None,
    ),
    Target(
        what="CPU a request of the proxy to one with aiohttp",
        go="-",
        nearer=0.25,
        farther=0.25,
        unit="x",
        digits=2,
        measured=lambda results: results.proxy.to_usual.median if results.proxy else None,
    ),
    Target(
        what="CPU a request of the proxy to one with Starlette",
        go="-",
        nearer=0.25,
        farther=0.25,
        unit="x",
        digits=2,
        measured=lambda results: (
            results.proxy.to_starlette.median if results.proxy and results.proxy.to_starlette else None
        ),
    ),
    Target(
        what="p99 that the proxy adds at half load",
        go="-",
        nearer=1,
        farther=1,
        unit=" ms",
        digits=2,
        measured=lambda results: results.proxy.programs["dequeuer"].added_ms.p99.median if results.proxy else None,
    ),
    Target(
        what="memory of the proxy with 1,000 streams",
        go="-",
        nearer=100,
        farther=100,
        unit=" MiB",
        digits=0,
        measured=lambda results: results.proxy_memory["dequeuer"].streams_mib if results.proxy_memory else None,
    ),
    Target(
        what="memory of the proxy with 10,000 idle connections",
        go="-",
        nearer=100,
        farther=100,
        unit=" MiB",
        digits=0,
        measured=lambda results: results.proxy_memory["dequeuer"].idle_mib if results.proxy_memory else None,
    ),
)


def verdict(target: Target, value: float | None) -> str:
    """Return whether a target is reached, as text."""
    if value is None:
        return "not measured"
    if value <= target.farther:
        return "reached (farther)" if target.farther != target.nearer else "reached"
    to_farther = f"short by {value - target.farther:.{target.digits}f}{target.unit}"
    if value <= target.nearer:
        return f"reached (nearer); farther: {to_farther}"
    return f"short by {value - target.nearer:.{target.digits}f}{target.unit}"
