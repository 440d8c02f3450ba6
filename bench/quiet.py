"""What it costs when there is nothing to do, and how long it takes when there is something again."""

from __future__ import annotations

import subprocess
import sys
import time
from dataclasses import dataclass

from bench.canned.state import Shape
from bench.child import BenchError, child, wait_for
from bench.proc import usage
from bench.sidecar import Setup, Sidecar, bytecode, wait_done
from bench.spread import Spread, spread
from bench.stand import Stand, say

LIMIT_S = 60.0
SETTLE_S = 3.0
REFERENCE = "import asyncio, uvloop, ssl"


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """Start-up.

    Attributes:
        first_post_s: from the start of the process to the first POST.
        reference_s: of a Python that imports what any such program needs, and ends.
        ratio: of the two, start by start.
    """

    first_post_s: Spread
    reference_s: Spread
    ratio: Spread


def start(stand: Stand) -> Start:
    """Start several times, after once for the compiled modules."""
    say(f"start: {stand.amounts.starts} times")
    pairs = [(_first_post_s(stand), _reference_s(stand)) for _ in range(stand.amounts.starts + 1)][1:]
    return Start(
        first_post_s=spread([mine for mine, _ in pairs]),
        reference_s=spread([theirs for _, theirs in pairs]),
        ratio=spread([mine / theirs for mine, theirs in pairs]),
    )


def _first_post_s(stand: Stand) -> float:
    setup = Setup(shape=Shape(messages=10), workers=16, tls=True)
    with stand.sidecar(stand.own, setup) as sidecar:
        return _wait_first_post(stand, sidecar) - sidecar.started_at_s


def _wait_first_post(stand: Stand, sidecar: Sidecar) -> float:
    def look() -> float | None:
        at: float | None = stand.own.told()["first_post_at_s"]
        return at

    return wait_for(look, "the first POST", sidecar.process, sidecar.log, LIMIT_S)


def _reference_s(stand: Stand) -> float:
    started = time.monotonic()
    log = stand.folder / "reference.log"
    with child([sys.executable, "-c", REFERENCE], log, bytecode(stand.folder)) as process:
        try:
            status = process.wait(LIMIT_S)
        except subprocess.TimeoutExpired:
            status = -1
    if status:
        raise BenchError(f"`python -c '{REFERENCE}'` ended with {status}")
    return time.monotonic() - started


def latency_s(stand: Stand) -> Spread:
    """Return how long it takes from a message on a long-idle queue to its POST; the queue hands it out at once."""
    amounts = stand.amounts
    say(f"latency: {amounts.latencies} times, {amounts.quiet_s:.0f} s apart")
    setup = Setup(shape=Shape(messages=1), workers=16, tls=True)
    with stand.sidecar(stand.own, setup) as sidecar:
        _wait_first_post(stand, sidecar)
        for number in range(amounts.latencies):
            time.sleep(amounts.quiet_s)
            stand.own.put()
            wait_done(stand.own, sidecar, number + 2, LIMIT_S)
        sidecar.check()
        return spread(stand.own.told()["latencies_s"])


def idle_percent(stand: Stand) -> float:
    """Return the percentage of a core that is used while the queue is empty."""
    say(f"idle: {stand.amounts.idle_s:.0f} s")
    setup = Setup(shape=Shape(messages=1), workers=16, tls=True)
    with stand.sidecar(stand.own, setup) as sidecar:
        _wait_first_post(stand, sidecar)
        time.sleep(SETTLE_S)
        before, started = usage(sidecar.process.pid).cpu_s, time.monotonic()
        time.sleep(stand.amounts.idle_s)
        spent, took = usage(sidecar.process.pid).cpu_s - before, time.monotonic() - started
        sidecar.check()
        return spent / took * 100
