"""Results that were not measured."""

from bench.cpu import CpuResult
from bench.distance import Distance
from bench.enqueuer import EnqueuerResult
from bench.memory import Soak
from bench.results import Results
from bench.spread import Spread, spread
from bench.startup_and_idle import Start


def same(value: float) -> Spread:
    return spread([value])


def cpu(ratio: Spread, requests: float = 5.25) -> CpuResult:
    return CpuResult(
        cpu_ms=same(0.4),
        floor_ms=same(0.1),
        same_ms=same(0.08),
        ratio=ratio,
        ratio_same=same(5.0),
        per_s=same(1500),
        floor_per_s=same(6000),
        aws_requests=same(requests),
        peak_mib=same(51.0),
        requests={"GetObject": 2.0, "ReceiveMessage": 0.1},
    )


def full() -> Results:
    return Results(
        about={"servers": "own"},
        cpu={"async-16": cpu(spread([3.0, 4.0, 9.0])), "tls-16": cpu(same(2.5))},
        distance=Distance(
            near_per_s=same(2000),
            queue_per_s=same(1800),
            all_per_s=same(1600),
            queue_share=spread([0.6, 0.9, 0.8]),
            all_share=same(0.8),
        ),
        busy_mib=60.0,
        memory={"1 KB": 50.0, "10 MB": 80.0, "100 MB": 84.0},
        start=Start(first_post_s=same(0.7), reference_s=same(0.1), ratio=same(7.0)),
        latency_s=same(0.0045),
        idle_percent=0.1,
        enqueuer=EnqueuerResult(
            items_per_s=same(40_000), cpu_us=same(20), large_items_per_s=30_000, file_mib=1907, peak_mib=70
        ),
        soak=Soak(messages=50_000, samples=100, first_mib=50, last_mib=51, apart=0.02),
    )
