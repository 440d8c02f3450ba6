"""Measures the memory of clients that wait: each for a request of its own, so nothing is shared between them."""

from __future__ import annotations

from dataclasses import dataclass

from bench.canned.state import Shape
from bench.context import RunContext, print_progress
from bench.gateway.run import gateway_process
from bench.proc import usage
from bench.proxy.plan import LoadPlan
from bench.proxy.run import load


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitersResult:
    """The result of the row.

    Attributes:
        waiters: clients that waited at the same time.
        peak_mib: peak memory of the gateway.
        kib_each: of it, for each client.
        cpu_percent: of a core, while they waited; the looks at their requests are most of it.
    """

    waiters: int
    peak_mib: float
    kib_each: float
    cpu_percent: float


def measure(context: RunContext) -> WaitersResult:
    """Measure the row."""
    amounts = context.amounts.waiters
    print_progress(f"waiters: {amounts.clients} clients wait for {amounts.wait_s} s")
    context.own.begin(Shape(requests_wait=True))
    with gateway_process(context) as (port, pid):
        few = LoadPlan(mode="wait", port=port, pid=pid, connections=amounts.first, wait_s=1)
        load(few)
        before_mib = usage(pid).peak_mib
        many = load(LoadPlan(mode="wait", port=port, pid=pid, connections=amounts.clients, wait_s=amounts.wait_s))
    context.own.observed()  # raises when an unknown request came
    return WaitersResult(
        waiters=many.requests,
        peak_mib=many.peak_mib,
        kib_each=(many.peak_mib - before_mib) * 1024 / (many.requests - amounts.first),
        cpu_percent=many.cpu_s / many.took_s * 100,
    )
