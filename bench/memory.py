"""Memory: the peak by size of payload and result, and its growth over many messages."""

from __future__ import annotations

import time
from dataclasses import dataclass

from bench.canned.state import Shape
from bench.child import BenchError
from bench.context import RunContext, print_progress
from bench.proc import usage
from bench.rows import Size
from bench.sidecar import Setup, wait_done
from bench.spread import quarters_apart

WORKERS = 4
BUSY_WORKERS = 100
WORK_S = 0.25
SOAK_WORKERS = 16
SOAK_WARM = 2000
SAMPLE_EVERY_S = 0.1
LIMIT_S = 900.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """Memory over many messages.

    Attributes:
        messages: the number of messages.
        samples: the number of memory samples after the warm-up.
        first_mib: the mean of the first quarter of the samples.
        last_mib: the mean of the last quarter.
        apart: (`last_mib` - `first_mib`) / `first_mib`.
    """

    messages: int
    samples: int
    first_mib: float
    last_mib: float
    apart: float


def busy_mib(context: RunContext) -> float:
    """Return the peak memory with 100 workers that are all busy at the same time."""
    messages = context.amounts.busy
    print_progress(f"memory: {messages} messages with {BUSY_WORKERS} workers, all of them busy")
    peak = _peak_mib(context, Shape(messages=messages, work_s=WORK_S), BUSY_WORKERS)
    maximum: int = context.own.observed()["max_running"]
    if maximum < BUSY_WORKERS:
        raise BenchError(f"void, no more than {maximum} of {BUSY_WORKERS} workers were ever busy at the same time")
    return peak


def _peak_mib(context: RunContext, shape: Shape, workers: int) -> float:
    with context.sidecar(context.own, Setup(shape=shape, workers=workers, tls=True)) as sidecar:
        wait_done(context.own, sidecar, shape.messages, LIMIT_S)
        sidecar.check()
        return usage(sidecar.process.pid).peak_mib


def peak_mib(context: RunContext, size: Size) -> float:
    """Return the peak memory for messages with payloads and results of one size."""
    print_progress(f"memory: {size.messages} messages of {size.name}")
    shape = Shape(messages=size.messages, payload_bytes=size.bytes, result_bytes=size.bytes)
    return _peak_mib(context, shape, WORKERS)


def by_size(context: RunContext) -> dict[str, float]:
    """Return the peak memory by name of the size."""
    return {size.name: peak_mib(context, size) for size in context.amounts.sizes}


def soak(context: RunContext, messages: int) -> Soak:
    """Sample the memory while `messages` messages are processed."""
    print_progress(f"soak: {messages} messages")
    samples: list[float] = []
    setup = Setup(shape=Shape(messages=messages), workers=SOAK_WORKERS, tls=False)
    with context.sidecar(context.own, setup) as sidecar:
        done, until = 0, time.monotonic() + LIMIT_S
        while done < messages:
            if sidecar.process.poll() is not None or time.monotonic() > until:
                raise BenchError(f"soak: only {done} of {messages} messages were done")
            time.sleep(SAMPLE_EVERY_S)
            done = context.own.observed()["done"]
            if SOAK_WARM <= done < messages:
                samples.append(usage(sidecar.process.pid).rss_mib)
        sidecar.check()
    apart = quarters_apart(samples)
    quarter = len(samples) // 4
    return Soak(
        messages=messages,
        samples=len(samples),
        first_mib=sum(samples[:quarter]) / quarter,
        last_mib=sum(samples[-quarter:]) / quarter,
        apart=apart,
    )
