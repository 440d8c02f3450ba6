"""The rows that can be measured, and how much is measured for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuRow:
    """A row that measures CPU per message.

    Attributes:
        name: its name for `--only`.
        kind: the kind of API.
        workers: the number of workers of the sidecar and of the floor.
        tls: whether queue and store use HTTPS.
        rate: messages per second; 0 means that the queue is never empty.
    """

    name: str
    kind: Literal["async", "batch"] = "async"
    workers: int = 16
    tls: bool = False
    rate: float = 0.0


CPU_ROWS: Final = (
    CpuRow(name="async-1", workers=1),
    CpuRow(name="async-16"),
    CpuRow(name="async-100", workers=100),
    CpuRow(name="tls-16", tls=True),
    CpuRow(name="paced-tls-16", tls=True, rate=50),
    CpuRow(name="batch-16", kind="batch"),
)
OTHER_ROWS: Final = (
    *(
        "distance",
        "memory",
        "start",
        "latency",
        "idle",
        "enqueuer",
        "gateway",
        "waiters",
        "proxy",
        "proxy-memory",
        "soak",
    ),
)
NAMES: Final = (*(row.name for row in CPU_ROWS), *OTHER_ROWS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """The messages of a run: first the warm-up, then the measured ones, then some that keep it busy until the end."""

    warm: int
    measured: int
    tail: int

    @property
    def marks(self) -> tuple[int, int]:
        """The message counts between which is measured."""
        return self.warm, self.warm + self.measured

    @property
    def total(self) -> int:
        """The number of all messages."""
        return self.warm + self.measured + self.tail


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """A memory row: `messages` messages with payload and result of `bytes` bytes."""

    name: str
    bytes: int
    messages: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxyAmounts:
    """How much is measured of the proxies.

    Attributes:
        rounds: each has all programs.
        warm: requests before those of a round that are measured.
        requests: requests of a round.
        paced_s: how long latency is measured, in a round, for each program.
        body_mib: size of the large body.
    """

    rounds: int
    warm: int
    requests: int
    paced_s: float
    body_mib: int


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiterAmounts:
    """How many clients wait at the gateway.

    Attributes:
        first: that have waited before memory is measured.
        clients: that wait at the same time.
        wait_s: how long each waits. All must have begun within this time.
    """

    first: int
    clients: int
    wait_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Amounts:
    """How much is measured.

    Attributes:
        hot: messages of the sidecar when the queue is never empty.
        hot_floor: messages of the floor when the queue is never empty.
        paced: messages of the sidecar, and of the floor, at a steady rate.
        busy: messages that keep 100 workers busy.
        sizes: sizes of payloads and results.
        starts: the number of starts of the process.
        latencies: the number of messages that are sent to an idle queue.
        quiet_s: how long the queue is idle before each of them.
        idle_s: how long the idle process is measured.
        soak: messages of the soak; 0 means no soak.
        enqueued: items of the enqueuer's small runs.
        large_source: bytes of the file of its large run.
        submissions: to the gateway.
        waiters: at the gateway.
        proxy: of the rows of the proxies.
    """

    hot: Span
    hot_floor: Span
    paced: Span
    busy: int
    sizes: tuple[Size, ...]
    starts: int
    latencies: int
    quiet_s: float
    idle_s: float
    soak: int
    enqueued: int
    large_source: int
    submissions: int
    waiters: WaiterAmounts
    proxy: ProxyAmounts


KB, MB = 1024, 1024 * 1024
FULL: Final = Amounts(
    hot=Span(warm=1000, measured=5000, tail=200),
    hot_floor=Span(warm=1000, measured=16000, tail=200),
    paced=Span(warm=100, measured=1000, tail=10),
    busy=5000,
    sizes=(
        Size(name="1 KB", bytes=KB, messages=2000),
        Size(name="1 MB", bytes=MB, messages=100),
        Size(name="10 MB", bytes=10 * MB, messages=20),
        Size(name="100 MB", bytes=100 * MB, messages=8),
    ),
    starts=7,
    latencies=6,
    quiet_s=10,
    idle_s=30,
    soak=50_000,
    enqueued=500_000,
    large_source=2_000_000_000,
    submissions=100_000,
    waiters=WaiterAmounts(first=50, clients=10_000, wait_s=60),
    proxy=ProxyAmounts(rounds=7, warm=2000, requests=20_000, paced_s=5.0, body_mib=1024),
)
QUICK: Final = Amounts(
    hot=Span(warm=400, measured=1600, tail=100),
    hot_floor=Span(warm=400, measured=4000, tail=100),
    paced=Span(warm=30, measured=200, tail=5),
    busy=800,
    sizes=(
        Size(name="1 KB", bytes=KB, messages=400),
        Size(name="1 MB", bytes=MB, messages=40),
        Size(name="10 MB", bytes=10 * MB, messages=8),
        Size(name="100 MB", bytes=100 * MB, messages=4),
    ),
    starts=5,
    latencies=3,
    quiet_s=2,
    idle_s=10,
    soak=0,
    enqueued=200_000,
    large_source=200_000_000,
    submissions=12_000,
    waiters=WaiterAmounts(first=50, clients=2000, wait_s=12),
    proxy=ProxyAmounts(rounds=3, warm=500, requests=4000, paced_s=1.0, body_mib=256),
)
