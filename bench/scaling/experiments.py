"""What is run for docs/scaling.md, and the tables of the results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from bench.report import table
from bench.scaling.candidates import CANDIDATES, CHART, CHART_BEHAVIOR, MEAN_WORK_S, PODS, Candidate, keda
from bench.scaling.keda import Fallback, Keda, ScaledObject
from bench.scaling.loads import NAMES, Load, load
from bench.scaling.outcome import Outcome
from bench.scaling.scaled_jobs import ScaledJobs
from bench.scaling.simulation import Simulation, Work

Runs = Mapping[tuple[str, str], Outcome]
"""The outcome by the names of load and candidate."""

FIRST_REPLICAS: Final = {"spot-loss": 9}
"""Replicas at the beginning, where they are not the fewest: a steady load would begin with a burst."""

UNREADABLE_S: Final = (1140.0, 1740.0)
"""The queue's counts cannot be read for ten minutes: from a minute before the burst on."""

PEAK_PODS: Final = 48
"""Pods that long requests keep busy at the peak of the load; with requests of the usual length it is 16."""


def run_shapes() -> Runs:
    """Run each load under each candidate."""
    return {(name, one.name): _run(load(name), one) for name in NAMES for one in CANDIDATES}


def _run(shape: Load, candidate: Candidate) -> Outcome:
    least = 0 if shape.name == "idle" else 1
    first = FIRST_REPLICAS.get(shape.name, least)
    work = Work(load=shape, pods=PODS, mean_work_s=MEAN_WORK_S, first_replicas=first)
    return Simulation(work, candidate.make(least)).run()


def shapes_table(runs: Runs) -> str:
    """Return the table of all loads."""
    head = ("load", "autoscaler", "most replicas", "most in flight", "wait p50 s", "wait p99 s", "pod hours")
    return table(
        head,
        (
            (
                name,
                candidate,
                str(run.most_replicas),
                str(run.most_in_flight),
                f"{run.wait_s(50):.0f}",
                f"{run.wait_s(99):.0f}",
                f"{run.pod_hours:.1f}",
            )
            for (name, candidate), run in runs.items()
        ),
    )


def zero_table() -> str:
    """Return the table of what `pollingInterval` and `cooldownPeriod` change, with the load `idle`."""
    rows = []
    for polling_s in (5, 10, 30):
        for cooldown_s in (60, 300):
            spec = replace(CHART, min_replicas=0, polling_s=polling_s, cooldown_s=cooldown_s)
            run = _run(load("idle"), keda("", spec))
            delays_s = list(_first_replica_delays_s(spec))
            rows.append(
                (
                    f"{polling_s} s",
                    f"{cooldown_s} s",
                    f"{sum(delays_s) / len(delays_s):.0f}",
                    f"{max(delays_s):.0f}",
                    f"{run.wait_s(99):.0f}",
                    f"{run.pod_hours:.1f}",
                )
            )
    head = ("pollingInterval", "cooldownPeriod", "first replica after s, mean", "at most", "wait p99 s", "pod hours")
    return table(head, rows)


def _first_replica_delays_s(spec: ScaledObject) -> Iterator[float]:
    """Yield how long the first replica took, for each second in which the polls may begin."""
    shape = load("idle").until(900)
    work = Work(load=shape, pods=PODS, mean_work_s=MEAN_WORK_S, first_replicas=0)
    first_s = next(shape.requests(MEAN_WORK_S)).submitted_s
    for phase_s in range(int(spec.polling_s)):
        run = Simulation(work, Keda(spec, first_poll_s=phase_s)).run()
        if run.first_replica_s is not None:
            yield run.first_replica_s - first_s


def sparing_table() -> str:
    """Return the table of what sparing busy pods changes, with long requests and the load `sawtooth`."""
    head = ("a request takes", "pods", "in a pod", "hours of work repeated", "wait p50 s", "wait p99 s", "pod hours")
    plain, spared = "Deployment", "Deployment, busy pods are spared"
    rows = [
        _long_work(work_s, name, concurrency)
        for work_s, names, concurrency in (
            (300.0, (plain, spared), 4),
            (300.0, (plain, spared, "ScaledJob"), 1),
            (1800.0, (plain, spared, "ScaledJob"), 1),
        )
        for name in names
    ]
    return table(head, rows)


def _long_work(work_s: float, name: str, concurrency: int) -> tuple[str, ...]:
    # As many pods for all: requests in flight grow with their length and with the number in a pod.
    shape = load("sawtooth").times(PEAK_PODS / 16 * concurrency * MEAN_WORK_S / PODS.concurrency / work_s)
    is_job = name == "ScaledJob"
    pods = replace(
        PODS, concurrency=concurrency, spares_busy="spared" in name, max_requests=concurrency if is_job else None
    )
    scaler = (
        ScaledJobs(target=concurrency)
        if is_job
        else Keda(ScaledObject(target=concurrency, behavior=CHART_BEHAVIOR, min_replicas=1, polling_s=10))
    )
    work = Work(load=shape, pods=pods, mean_work_s=work_s, first_replicas=0 if is_job else 1)
    run = Simulation(work, scaler).run()
    return (
        f"{work_s / 120:g} to {work_s / 40:g} min",
        name,
        str(concurrency),
        f"{run.repeated_s / 3600:.1f}",
        f"{run.wait_s(50):.0f}",
        f"{run.wait_s(99):.0f}",
        f"{run.pod_hours:.1f}",
    )


def fallback_table() -> str:
    """Return the table of what a fallback changes when the counts cannot be read at the beginning of a burst."""
    rows = []
    for name, fallback in (
        ("none", None),
        ("4 replicas", Fallback(failure_threshold=3, replicas=4)),
        ("16 replicas", Fallback(failure_threshold=3, replicas=16)),
    ):
        work = Work(load=load("burst"), pods=PODS, mean_work_s=MEAN_WORK_S, unreadable_s=UNREADABLE_S)
        run = Simulation(work, Keda(replace(CHART, fallback=fallback))).run()
        rows.append(
            (
                name,
                str(run.most_replicas),
                str(run.most_in_flight),
                f"{run.wait_s(50):.0f}",
                f"{run.wait_s(99):.0f}",
                f"{run.pod_hours:.1f}",
            )
        )
    return table(("fallback", "most replicas", "most in flight", "wait p50 s", "wait p99 s", "pod hours"), rows)
