"""Runs many worlds in several processes, and prints a table of their results."""

from __future__ import annotations

import multiprocessing
import time
import traceback
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass

from tests.simulation.jobs.world import simulate_job
from tests.simulation.keys import simulate_keys
from tests.simulation.sidecar import Kind
from tests.simulation.world import simulate

MESSAGES_PER_WORLD = 400
KEYS_PER_WORLD = 100
"""Each is submitted several times, and its clients wait for minutes when a gateway was killed."""
SHOWN = 3
_COUNTED = frozenset(
    {"submitted", "delivered", "called", "fenced", "dead_lettered", "announced", "cancelled", "paused"}
)
"""What the table has of the records without an operation."""


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The result of one world, small enough to be sent between processes."""

    seed: int
    counts: Counter[str]
    faults: Counter[str]
    violations: tuple[str, ...]


def summarize_queue(seed: int) -> Summary:
    """Run one world of messages of any queue. An exception becomes a violation."""
    return summarize(seed, "queue")


def summarize_webhooks(seed: int) -> Summary:
    """Run one world of requests with webhooks. An exception becomes a violation."""
    return summarize(seed, "async", announces=True)


def summarize_cancellations(seed: int) -> Summary:
    """Run one world of requests that clients cancel, or give deadlines. An exception becomes a violation."""
    return summarize(seed, "async", cancels=True)


def summarize_pauses(seed: int) -> Summary:
    """Run one world of requests whose API is paused and resumed. An exception becomes a violation."""
    return summarize(seed, "async", pauses=True)


def summarize(
    seed: int, kind: Kind | None = None, *, announces: bool = False, cancels: bool = False, pauses: bool = False
) -> Summary:
    """Run one world of messages. An exception becomes a violation."""
    try:
        outcome = simulate(seed, MESSAGES_PER_WORLD, kind, announces=announces, cancels=cancels, pauses=pauses)
    except Exception as error:  # noqa: BLE001 - any exception is reported with its seed
        return _failed(seed, error)
    counts: Counter[str] = Counter()
    for record in outcome.history:
        if record.what in _COUNTED:
            counts[record.what] += 1
        elif record.what == "done":
            counts[f"{record.op} {record.name}".strip() if record.name.startswith("status/") else record.op] += 1
    return Summary(
        seed=seed,
        counts=counts,
        faults=outcome.faults,
        violations=tuple(map(str, outcome.violations[:SHOWN])) if outcome.violations else (),
    )


def summarize_keys(seed: int) -> Summary:
    """Run one world of requests with keys. An exception becomes a violation."""
    try:
        outcome = simulate_keys(seed, KEYS_PER_WORLD)
    except Exception as error:  # noqa: BLE001 - any exception is reported with its seed
        return _failed(seed, error)
    counts: Counter[str] = Counter({"keys": KEYS_PER_WORLD})
    for record in outcome.history:
        if record.what in {"submitted", "called"}:
            counts[record.what] += 1
        elif record.what == "told":
            counts[f"told {record.status or 'nothing'}"] += 1
    return Summary(
        seed=seed, counts=counts, faults=outcome.faults, violations=tuple(map(str, outcome.violations[:SHOWN]))
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


def report(first: int, worlds: int, processes: int) -> int:
    """Run `worlds` worlds of messages and print the table. Return 1 when a promise was broken."""
    return _report(f"{worlds} worlds of {MESSAGES_PER_WORLD} messages", summarize, first, worlds, processes)


def report_queues(first: int, worlds: int, processes: int) -> int:
    """The same with worlds of messages of any queue."""
    what = f"{worlds} worlds of {MESSAGES_PER_WORLD} messages of any queue"
    return _report(what, summarize_queue, first, worlds, processes)


def report_webhooks(first: int, worlds: int, processes: int) -> int:
    """The same with worlds of requests that have webhooks."""
    what = f"{worlds} worlds of {MESSAGES_PER_WORLD} requests with webhooks"
    return _report(what, summarize_webhooks, first, worlds, processes)


def report_cancellations(first: int, worlds: int, processes: int) -> int:
    """The same with worlds of requests that clients cancel, or give deadlines."""
    what = f"{worlds} worlds of {MESSAGES_PER_WORLD} requests with cancellations and deadlines"
    return _report(what, summarize_cancellations, first, worlds, processes)


def report_pauses(first: int, worlds: int, processes: int) -> int:
    """The same with worlds of requests whose API is paused and resumed."""
    what = f"{worlds} worlds of {MESSAGES_PER_WORLD} requests with pauses"
    return _report(what, summarize_pauses, first, worlds, processes)


def report_keys(first: int, worlds: int, processes: int) -> int:
    """The same with worlds of requests that have idempotency keys."""
    what = f"{worlds} worlds of {KEYS_PER_WORLD} requests with idempotency keys"
    return _report(what, summarize_keys, first, worlds, processes)


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
