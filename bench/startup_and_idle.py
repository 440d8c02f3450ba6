"""Start-up time, latency of a message on an idle queue, and CPU while the queue is empty."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass

from bench.canned.state import Shape
from bench.child import BenchError, child, wait_for
from bench.context import RunContext, print_progress
from bench.proc import usage
from bench.sidecar import Setup, Sidecar, bytecode, wait_done
from bench.spread import Spread, spread

LIMIT_S = 60.0
SETTLE_S = 3.0
REFERENCE = "import asyncio, uvloop, ssl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Start-up times.

    Attributes:
        first_post_s: from the start of the process to its first POST.
        reference_s: run time of a Python process that only imports what every such program needs.
        ratio: `first_post_s` / `reference_s` of each start.
    """

    first_post_s: Spread
    reference_s: Spread
    ratio: Spread


def start(context: RunContext) -> Start:
    """Start the process several times, after one start that compiles the modules."""
    print_progress(f"start: {context.amounts.starts} times")
    pairs = [(_first_post_s(context), _reference_s(context)) for _ in range(context.amounts.starts + 1)][1:]
    return Start(
        first_post_s=spread([mine for mine, _ in pairs]),
        reference_s=spread([theirs for _, theirs in pairs]),
        ratio=spread([mine / theirs for mine, theirs in pairs]),
    )


def _first_post_s(context: RunContext) -> float:
    setup = Setup(shape=Shape(messages=10), workers=16, tls=True)
    with context.sidecar(context.own, setup) as sidecar:
        return _wait_first_post(context, sidecar) - sidecar.started_at_s


def _wait_first_post(context: RunContext, sidecar: Sidecar) -> float:
    def look() -> float | None:
        at: float | None = context.own.observed()["first_post_at_s"]
        return at

    return wait_for(look, "the first POST", sidecar.process, sidecar.log, LIMIT_S)


def _reference_s(context: RunContext) -> float:
    started = time.monotonic()
    log = context.folder / "reference.log"
    with child([sys.executable, "-c", REFERENCE], log, bytecode(context.folder)) as process:
        try:
            status = process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            status = -1
    if status:
        raise BenchError(f"`python -c '{REFERENCE}'` ended with {status}")
    return time.monotonic() - started


def latency_s(context: RunContext) -> Spread:
    """Return the time from sending a message to an idle queue to its POST. The queue delivers it at once."""
    amounts = context.amounts
    print_progress(f"latency: {amounts.latencies} times, {amounts.quiet_s:.0f} s apart")
    setup = Setup(shape=Shape(messages=1), workers=16, tls=True)
    with context.sidecar(context.own, setup) as sidecar:
        _wait_first_post(context, sidecar)
        for number in range(amounts.latencies):
            time.sleep(amounts.quiet_s)
            context.own.put()
            wait_done(context.own, sidecar, number + 2, LIMIT_S)
        sidecar.check()
        return spread(context.own.observed()["latencies_s"])


def idle_percent(context: RunContext) -> float:
    """Return the CPU usage while the queue is empty, in percent of a core."""
    print_progress(f"idle: {context.amounts.idle_s:.0f} s")
    setup = Setup(shape=Shape(messages=1), workers=16, tls=True)
    with context.sidecar(context.own, setup) as sidecar:
        _wait_first_post(context, sidecar)
        time.sleep(SETTLE_S)
        before, started = usage(sidecar.process.pid).cpu_s, time.monotonic()
        time.sleep(context.amounts.idle_s)
        spent, took = usage(sidecar.process.pid).cpu_s - before, time.monotonic() - started
        sidecar.check()
        return spent / took * 100
