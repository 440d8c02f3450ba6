"""CPU per message: the sidecar and the floor in turn, each measured between two message counts of its run."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from bench.canned.state import Shape
from bench.child import child, wait_for
from bench.context import RunContext, print_progress
from bench.floor_plan import TENS, WIRE_FORMAT, Plan, same_requests
from bench.rows import CpuRow, Span
from bench.servers import Servers
from bench.sidecar import Setup, wait_done
from bench.spread import Spread, spread

LIMIT_S = 180.0
NOT_AWS = frozenset({"POST", "unexpected"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What was measured between the two message counts.

    Attributes:
        cpu_ms: CPU time per message.
        per_s: messages per second.
        peak_mib: peak memory since the start of the process.
        requests: number of requests by operation, for `messages` messages.
        messages: number of messages that `requests` belong to.
    """

    cpu_ms: float
    per_s: float
    peak_mib: float
    requests: Mapping[str, int]
    messages: int

    @property
    def aws_requests(self) -> float:
        """Requests to queue and store per message."""
        return sum(count for name, count in self.requests.items() if name not in NOT_AWS) / self.messages


@dataclass(frozen=True, slots=True, kw_only=True)
class CpuResult:
    """The result of one row.

    Attributes:
        cpu_ms: CPU time of the sidecar per message.
        floor_ms: CPU time per message of the floor that sends the requests of Cortex's wire format.
        same_ms: CPU time per message of the floor that sends the same requests as the sidecar.
        ratio: `cpu_ms` / `floor_ms` of each run.
        ratio_same: `cpu_ms` / `same_ms` of each run.
        per_s: messages per second of the sidecar.
        floor_per_s: messages per second of the floor.
        aws_requests: requests to queue and store per message.
        peak_mib: peak memory of the sidecar.
        requests: requests per message by operation, of the last run.
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


def window(observed: Mapping[str, Any], other_counter: Mapping[str, int] | None = None) -> Window:
    """Return the window from the state of the canned servers.

    `other_counter`: requests that other servers received during the whole run, by operation.
    """
    first, last = observed["marks"]
    messages = last["count"] - first["count"]
    requests = {name: count - first["requests"].get(name, 0) for name, count in last["requests"].items()}
    if other_counter:
        # They are counted from start to end, so the requests to the queue must be, too.
        requests, messages_counted = {**observed["requests"], **other_counter}, observed["done"]
    else:
        messages_counted = messages
    return Window(
        cpu_ms=(last["cpu_s"] - first["cpu_s"]) / messages * 1000,
        per_s=messages / (last["at_s"] - first["at_s"]),
        peak_mib=last["peak_mib"],
        requests={name: count for name, count in requests.items() if count},
        messages=messages_counted,
    )


def sidecar_window(context: RunContext, row: CpuRow, span: Span) -> Window:
    """Run the sidecar once and measure it."""
    servers = context.servers
    setup = Setup(shape=_shape(row, span), workers=row.workers, tls=row.tls)
    with context.sidecar(servers, setup) as sidecar:
        servers.watch(sidecar.process.pid, span.marks)
        wait_done(servers, sidecar, span.total, LIMIT_S)
        sidecar.check()
        return window(servers.observed(), _other_counts(servers))


def floor_window(
    context: RunContext, row: CpuRow, span: Span, requests: Mapping[str, float], tens: tuple[int, int]
) -> Window:
    """Run the floor once and measure it. `tens`: messages per ReceiveMessage and per DeleteMessageBatch."""
    servers = context.servers
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
    log = context.folder / "floor.log"
    with child([sys.executable, "-m", "bench.floor", json.dumps(asdict(plan))], log) as process:
        servers.watch(process.pid, span.marks)
        wait_for(lambda: servers.observed()["done"] >= span.marks[1] or None, "the floor", process, log, LIMIT_S)
        return window(servers.observed(), _other_counts(servers))


def measure(context: RunContext, row: CpuRow) -> CpuResult:
    """Measure one row. Each run has the sidecar and both floors, so that a change of the machine's load affects all."""
    amounts = context.amounts
    mine = amounts.paced if row.rate else amounts.hot
    theirs = amounts.paced if row.rate else amounts.hot_floor
    runs: list[tuple[Window, Window, Window]] = []
    for number in range(context.runs):
        print_progress(f"{row.name}: run {number + 1} of {context.runs}")
        measured = sidecar_window(context, row, mine)
        floor = floor_window(context, row, theirs, WIRE_FORMAT[row.kind], (TENS, TENS))
        requests, receive, deletion = same_requests(measured.requests, measured.messages)
        runs.append((measured, floor, floor_window(context, row, theirs, requests, (receive, deletion))))
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
    """Return requests per message by operation, without those that are made only at start-up."""
    each = {name: round(count / window.messages, 3) for name, count in window.requests.items()}
    return {name: count for name, count in each.items() if count >= 0.005}


def _shape(row: CpuRow, span: Span) -> Shape:
    return Shape(kind=row.kind, messages=span.total, rate=row.rate)


def _other_counts(servers: Servers) -> Mapping[str, int] | None:
    return servers.other_counter.counts() if servers.other_counter is not None else None
