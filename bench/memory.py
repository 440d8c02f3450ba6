"""Memory: the peak by the size of payloads and results, and whether it stays flat over many messages."""

from __future__ import annotations

import time
from dataclasses import dataclass

from bench.canned.state import Shape
from bench.child import BenchError
from bench.proc import usage
from bench.rows import Size
from bench.sidecar import Setup, wait_done
from bench.spread import quarters_apart
from bench.stand import Stand, say

WORKERS = 4
BUSY_WORKERS = 100
WORK_S = 0.25
SOAK_WORKERS = 16
SOAK_WARM = 2000
SAMPLE_EVERY_S = 0.1
LIMIT_S = 900.0
FLAT = 1.1
"""Of objects ten times as large no more than this times the memory is held: then their size does not matter."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Soak:
    """Memory over many messages.

    Attributes:
        messages: in all.
        samples: of memory held, after the warm-up.
        first_mib: mean of the first quarter of them.
        last_mib: mean of the last quarter.
        apart: the last above the first, as a part of it.
    """

    messages: int
    samples: int
    first_mib: float
    last_mib: float
    apart: float


def busy_mib(stand: Stand) -> float:
    """Return the most memory that 100 workers take when the container keeps all of them busy."""
    messages = stand.amounts.busy
    say(f"memory: {messages} messages with {BUSY_WORKERS} workers, all of them busy")
    peak = _peak_mib(stand, Shape(messages=messages, work_s=WORK_S), BUSY_WORKERS)
    most: int = stand.own.told()["most_running"]
    if most < BUSY_WORKERS:
        raise BenchError(f"void, no more than {most} of {BUSY_WORKERS} workers were ever busy at the same time")
    return peak


def _peak_mib(stand: Stand, shape: Shape, workers: int) -> float:
    with stand.sidecar(stand.own, Setup(shape=shape, workers=workers, tls=True)) as sidecar:
        wait_done(stand.own, sidecar, shape.messages, LIMIT_S)
        sidecar.check()
        return usage(sidecar.process.pid).peak_mib


def peak_mib(stand: Stand, size: Size) -> float:
    """Return the most memory that messages of that size take."""
    say(f"memory: {size.messages} messages of {size.name}")
    shape = Shape(messages=size.messages, payload_bytes=size.bytes, result_bytes=size.bytes)
    return _peak_mib(stand, shape, WORKERS)


def by_size(stand: Stand) -> dict[str, float]:
    """Return the peak by the name of a size."""
    return {size.name: peak_mib(stand, size) for size in stand.amounts.sizes}


def is_flat(peaks: dict[str, float]) -> bool:
    """Tell whether large objects are held no more than middling ones."""
    return peaks["100 MB"] <= FLAT * peaks["10 MB"]


def soak(stand: Stand, messages: int) -> Soak:
    """Sample memory while so many messages are worked off."""
    say(f"soak: {messages} messages")
    samples: list[float] = []
    setup = Setup(shape=Shape(messages=messages), workers=SOAK_WORKERS, tls=False)
    with stand.sidecar(stand.own, setup) as sidecar:
        done, until = 0, time.monotonic() + LIMIT_S
        while done < messages:
            if sidecar.process.poll() is not None or time.monotonic() > until:
                raise BenchError(f"soak: it came to {done} of {messages} messages only")
            time.sleep(SAMPLE_EVERY_S)
            done = stand.own.told()["done"]
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
