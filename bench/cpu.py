"""CPU a message: the sidecar and the floor by turns, each between two counts in the middle of its run."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bench.canned.state import Shape
from bench.child import child, wait_for
from bench.floor_plan import TENS, WIRE_FORMAT, Plan, same_requests
from bench.rows import CpuRow, Span
from bench.servers import Servers
from bench.sidecar import Setup, wait_done
from bench.spread import Spread, spread
from bench.stand import Stand, say

LIMIT_S = 180.0
NOT_AWS = frozenset({"POST", "unexpected"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What happened between the two counts.

    Attributes:
        cpu_ms: a message.
        per_s: messages a second.
        peak_mib: the most memory so far.
        requests: by operation, of so many messages.
        messages: that `requests` are of.
    """

    cpu_ms: float
    per_s: float
    peak_mib: float
    requests: Mapping[str, int]
    messages: int

    @property
    def aws_requests(self) -> float:
        """Requests to queue and store, a message."""
        return sum(count for name, count in self.requests.items() if name not in NOT_AWS) / self.messages


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuResult:
    """A row.

    Attributes:
        cpu_ms: of the sidecar, a message.
        floor_ms: of the floor that sends the wire format's requests.
        same_ms: of the floor that sends what the sidecar sends.
        ratio: `cpu_ms` to `floor_ms`, run by run.
        ratio_same: `cpu_ms` to `same_ms`, run by run.
        per_s: messages a second.
        floor_per_s: those of the floor.
        aws_requests: a message.
        peak_mib: of the sidecar.
        requests: a message, by operation, of the last run.
    """

    cpu_ms: Spread
    floor_ms: Spread
    same_ms: Spread
    ratio: Spread
    ratio_same: Spread
    per_s: Spread
    floor_per_s: Spread
    aws_requests: Spread
    peak_mib: Spread
    requests: dict[str, float]


def window(told: Mapping[str, Any], elsewhere: Mapping[str, int] | None = None) -> Window:
    """Read what the canned servers tell. `elsewhere`: requests that others answered, of the whole run."""
    first, last = told["marks"]
    messages = last["count"] - first["count"]
    requests = {name: count - first["requests"].get(name, 0) for name, count in last["requests"].items()}
    if elsewhere:
        # Counted from start to end, so the queue's are taken likewise.
        requests, messages_counted = {**told["requests"], **elsewhere}, told["done"]
    else:
        messages_counted = messages
    return Window(
        cpu_ms=(last["cpu_s"] - first["cpu_s"]) / messages * 1000,
        per_s=messages / (last["at_s"] - first["at_s"]),
        peak_mib=last["peak_mib"],
        requests={name: count for name, count in requests.items() if count},
        messages=messages_counted,
    )


def sidecar_window(stand: Stand, row: CpuRow, span: Span) -> Window:
    """Run the sidecar once."""
    servers = stand.servers
    setup = Setup(shape=_shape(row, span), workers=row.workers, tls=row.tls)
    with stand.sidecar(servers, setup) as sidecar:
        servers.watch(sidecar.process.pid, span.marks)
        wait_done(servers, sidecar, span.total, LIMIT_S)
        sidecar.check()
        return window(servers.told(), _elsewhere(servers))


def floor_window(stand: Stand, row: CpuRow, span: Span, requests: Mapping[str, float], tens: tuple[int, int]) -> Window:
    """Run the floor once. `tens`: messages of a receive, and of a deletion."""
    servers = stand.servers
    servers.begin(_shape(row, span))
    plan = Plan(
        kind=row.kind,
        sqs_port=servers.ports.sqs(tls=row.tls),
        s3_port=servers.ports.s3(tls=row.tls),
        container_port=servers.ports.container,
        authority=str(servers.authority) if row.tls else "",
        workers=row.workers,
        messages=span.total,
        requests=dict(requests),
        receive_limit=tens[0],
        delete_batch=tens[1],
    )
    log = stand.folder / "floor.log"
    with child([sys.executable, "-m", "bench.floor", json.dumps(asdict(plan))], log) as process:
        servers.watch(process.pid, span.marks)
        wait_for(lambda: servers.told()["done"] >= span.marks[1] or None, "the floor", process, log, LIMIT_S)
        return window(servers.told(), _elsewhere(servers))


def measure(stand: Stand, row: CpuRow) -> CpuResult:
    """Measure one row, run by run: the sidecar, then both floors, so that drift of the machine hits all alike."""
    amounts = stand.amounts
    mine = amounts.paced if row.rate else amounts.hot
    theirs = amounts.paced if row.rate else amounts.hot_floor
    runs: list[tuple[Window, Window, Window]] = []
    for number in range(stand.runs):
        say(f"{row.name}: run {number + 1} of {stand.runs}")
        measured = sidecar_window(stand, row, mine)
        floor = floor_window(stand, row, theirs, WIRE_FORMAT[row.kind], (TENS, TENS))
        requests, receive, deletion = same_requests(measured.requests, measured.messages)
        runs.append((measured, floor, floor_window(stand, row, theirs, requests, (receive, deletion))))
    last = runs[-1][0]
    return CpuResult(
        cpu_ms=spread([mine.cpu_ms for mine, _, _ in runs]),
        floor_ms=spread([floor.cpu_ms for _, floor, _ in runs]),
        same_ms=spread([same.cpu_ms for _, _, same in runs]),
        ratio=spread([mine.cpu_ms / floor.cpu_ms for mine, floor, _ in runs]),
        ratio_same=spread([mine.cpu_ms / same.cpu_ms for mine, _, same in runs]),
        per_s=spread([mine.per_s for mine, _, _ in runs]),
        floor_per_s=spread([floor.per_s for _, floor, _ in runs]),
        aws_requests=spread([mine.aws_requests for mine, _, _ in runs]),
        peak_mib=spread([mine.peak_mib for mine, _, _ in runs]),
        requests=rates(last),
    )


def rates(window: Window) -> dict[str, float]:
    """Return requests a message; those of start-up are not worth a line."""
    each = {name: round(count / window.messages, 3) for name, count in window.requests.items()}
    return {name: count for name, count in each.items() if count >= 0.005}


def _shape(row: CpuRow, span: Span) -> Shape:
    return Shape(kind=row.kind, messages=span.total, rate=row.rate)


def _elsewhere(servers: Servers) -> Mapping[str, int] | None:
    return servers.elsewhere.counts() if servers.elsewhere is not None else None
