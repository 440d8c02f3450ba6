"""Runs many worlds in several processes, and prints a table of their results."""

from __future__ import annotations

import multiprocessing
import time
import traceback
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial

from tests.simulation.jobs.world import simulate_job
from tests.simulation.kinds import Lives

SHOWN = 3


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The result of one world, small enough to be sent between processes."""

    seed: int
    counts: Counter[str]
    faults: Counter[str]
    violations: tuple[str, ...]


def summarize(lives: Lives, seed: int) -> Summary:
    """Run one world. An exception becomes a violation."""
    try:
        outcome = lives.play(seed)
    except Exception as error:  # noqa: BLE001 - any exception is reported with its seed
        return _failed(seed, error)
    return Summary(
        seed=seed,
        counts=lives.count(outcome.history),
        faults=outcome.faults,
        violations=tuple(map(str, outcome.violations[:SHOWN])),
    )


def summarize_job(seed: int) -> Summary:
    """Run one world with a batch job. An exception becomes a violation."""
    try:
        outcome = simulate_job(seed)
    except Exception as error:  # noqa: BLE001 - any exception is reported with its seed
        return _failed(seed, error)
    facts = outcome.facts
    counts = Counter({f"job {facts.end or 'stuck'}": 1, "called": len(facts.calls), "lines": len(facts.lines)})
    counts["runs of workers"] = len(facts.runs)
    return Summary(
        seed=seed,
        counts=counts,
        faults=outcome.faults,
        violations=tuple(map(str, outcome.violations[:SHOWN])),
    )


def _failed(seed: int, error: Exception) -> Summary:
    trace = "".join(traceback.format_exception(error))
    return Summary(seed=seed, counts=Counter(), faults=Counter(), violations=(trace,))


def report(lives: Lives, first: int, worlds: int, processes: int) -> int:
    """Run `worlds` worlds and print the table. Return 1 when a promise was broken."""
    what = f"{worlds} worlds of {lives.per_world} {lives.what}"
    return _report(what, partial(summarize, lives), first, worlds, processes)


def report_jobs(first: int, worlds: int, processes: int) -> int:
    """The same with worlds that have a batch job each."""
    return _report(f"{worlds} batch jobs", summarize_job, first, worlds, processes)


def _report(what: str, run: Callable[[int], Summary], first: int, worlds: int, processes: int) -> int:
    print(f"simulation: {what}, seeds {first} to {first + worlds - 1}", flush=True)
    began = time.monotonic()
    counts: Counter[str] = Counter()
    faults: Counter[str] = Counter()
    failed: list[Summary] = []
    # Not forked: the copy of a process that has threads can hang.
    with ProcessPoolExecutor(processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        for summary in pool.map(run, range(first, first + worlds), chunksize=4):
            counts += summary.counts
            faults += summary.faults
            if summary.violations:
                failed.append(summary)
    for name, count in [*sorted(counts.items()), *sorted(faults.items())]:
        print(f"  {name:<28} {count:>9,}")
    for summary in failed[:SHOWN]:
        print(f"seed {summary.seed}: --seed {summary.seed} repeats it", *summary.violations, sep="\n  ")
    print(f"simulation: {len(failed)} worlds broke a promise; {time.monotonic() - began:.0f} s")
    return 1 if failed else 0
