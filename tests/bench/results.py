"""Results that were not measured."""

from bench.cpu import CpuResult
from bench.distance import Distance
from bench.enqueuer import EnqueuerResult
from bench.gateway.run import GatewayResult
from bench.gateway.waiters import WaitersResult
from bench.memory import Soak
from bench.proxy.results import Forwarding, Holding, Latency, ProxyResult
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


def latency(p50: float, p99: float, p999: float) -> Latency:
    return Latency(p50=same(p50), p99=same(p99), p999=same(p999))


def proxy() -> ProxyResult:
    forwarding = Forwarding(
        cpu_us=same(30.0),
        per_s=same(30_000),
        rate=15_000,
        paced_us=same(36.0),
        added_ms=latency(0.1, 0.4, 0.9),
    )
    return ProxyResult(
        programs={"dequeuer": forwarding},
        direct_ms=latency(0.04, 0.1, 0.2),
        to_floor=spread([2.0, 2.5, 9.0]),
        to_full_floor=same(5.0),
        to_usual=spread([0.2, 0.3, 0.4]),
        to_starlette=spread([0.03, 0.04, 0.05]),
        client_us=4.0,
    )


def holding() -> Holding:
    return Holding(
        streams_mib=58,
        idle_mib=64,
        download_mib=49,
        upload_mib=48,
        download_mib_per_s=1300,
        upload_mib_per_s=1000,
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
        gateway=GatewayResult(
            submissions=100_000,
            per_s=same(3000),
            cpu_us=same(330),
            floor_us=same(40),
            ratio=same(8.2),
            first_mib=52,
            last_mib=52.5,
        ),
        waiters=WaitersResult(waiters=10_000, peak_mib=242, kib_each=20, cpu_percent=25),
        proxy=proxy(),
        proxy_memory={"dequeuer": holding()},
        soak=Soak(messages=50_000, samples=100, first_mib=50, last_mib=51, apart=0.02),
    )
