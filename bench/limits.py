"""Limits for CI: ratios, counts and sizes, which hold on any machine; never a time alone."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.child import BenchError
from bench.cpu import CpuResult
from bench.proxy.results import Holding
from bench.results import Results
from bench.rows import CPU_ROWS

Measured = Callable[[Results], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """The maximum of one measurement."""

    name: str
    maximum: float
    measured: Measured


def _of_row(name: str, take: Callable[[CpuResult], float]) -> Measured:
    return lambda results: take(results.cpu[name]) if name in results.cpu else None


def _growth(results: Results) -> float | None:
    return results.memory["100 MB"] / results.memory["10 MB"] if results.memory else None


def _held(take: Callable[[Holding], float]) -> Measured:
    return lambda results: take(results.proxy_memory["dequeuer"]) if results.proxy_memory else None


KNOWN: dict[str, Measured] = {
    # For CPU the smallest of the runs counts, because other load can only add.
    **{f"cpu_ratio.{row.name}": _of_row(row.name, lambda result: result.ratio.minimum) for row in CPU_ROWS},
    **{f"aws_requests.{row.name}": _of_row(row.name, lambda result: result.aws_requests.median) for row in CPU_ROWS},
    **{f"peak_mib.{row.name}": _of_row(row.name, lambda result: result.peak_mib.median) for row in CPU_ROWS},
    # A limit is a maximum, so the share is inverted: how many times slower it is. The best round counts.
    "distance.times_slower_with_queue_far": lambda results: (
        1 / results.distance.queue_share.maximum if results.distance else None
    ),
    "distance.times_slower_with_all_far": lambda results: (
        1 / results.distance.all_share.maximum if results.distance else None
    ),
    # A rate is a time, so it is held as CPU, and far above what is measured; memory holds on any machine.
    "enqueuer.cpu_us_an_item": lambda results: results.enqueuer.cpu_us.minimum if results.enqueuer else None,
    "enqueuer.peak_mib": lambda results: results.enqueuer.peak_mib if results.enqueuer else None,
    "gateway.cpu_to_floor": lambda results: results.gateway.ratio.minimum if results.gateway else None,
    "gateway.peak_mib": lambda results: results.gateway.last_mib if results.gateway else None,
    "waiters.peak_mib": lambda results: results.waiters.peak_mib if results.waiters else None,
    "waiters.kib_each": lambda results: results.waiters.kib_each if results.waiters else None,
    # Each round has all programs in turn: the best one counts, as for CPU.
    "proxy.cpu_to_floor": lambda results: results.proxy.to_floor.minimum if results.proxy else None,
    "proxy.cpu_to_aiohttp": lambda results: results.proxy.to_usual.minimum if results.proxy else None,
    "proxy.streams_mib": _held(lambda held: held.streams_mib),
    "proxy.idle_mib": _held(lambda held: held.idle_mib),
    "proxy.body_mib": _held(lambda held: max(held.download_mib, held.upload_mib)),
    "start.ratio": lambda results: results.start.ratio.median if results.start else None,
    "memory.busy_100_workers_mib": lambda results: results.busy_mib,
    "memory.at_100_mb_mib": lambda results: results.memory.get("100 MB"),
    "memory.at_100_mb_to_10_mb": _growth,
}
"""The measurements that can be limited, by table and key of the file."""


def load(file: Path) -> list[Limit]:
    """Read limits from a file.

    Raises:
        BenchError: the file cannot be read, or names something that is not measured.
    """
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise BenchError(f"--limits {file}: {error}") from error
    named = dict(entry for table, values in tables.items() for entry in _entries(file, table, values))
    wrong = [name for name, value in named.items() if name not in KNOWN or not isinstance(value, int | float)]
    if wrong:
        raise BenchError(f"--limits {file}: {', '.join(wrong)}: a number is wanted for each of {', '.join(KNOWN)}")
    return [Limit(name=name, maximum=float(value), measured=KNOWN[name]) for name, value in named.items()]


def _entries(file: Path, table: str, values: object) -> list[tuple[str, Any]]:
    if not isinstance(values, Mapping):
        raise BenchError(f"--limits {file}: {table} is no table")
    return [(f"{table}.{key}", value) for key, value in values.items()]


def exceeded(limits: list[Limit], results: Results) -> list[str]:
    """Return one line for each measurement above its limit. Rows that are void or not measured are skipped."""
    found = []
    for limit in limits:
        value = limit.measured(results)
        if value is not None and value > limit.maximum:
            found.append(f"{limit.name} is {value:.2f}, at most {limit.maximum:g} is allowed")
    return found
