"""Measures the proxies: each round has all programs in turn, so that a change of the machine's load affects all."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from typing import Final

from bench.child import ROOT, BenchError
from bench.context import RunContext, print_progress
from bench.proxy.plan import Load, LoadPlan
from bench.proxy.results import Forwarding, Holding, Latency, ProxyResult
from bench.proxy.subjects import Subject, container, known, running
from bench.spread import Spread, spread

LIMIT_S = 300.0
CONNECTIONS = 32
"""In the rows of CPU and latency."""
STREAMS, IDLE_CONNECTIONS = 1000, 10_000
SLOW: Final = {"starlette": 10}
"""Programs that need so much longer for a request that they get a fraction of the requests: one in so many."""
MIB = 1024 * 1024


def measure(context: RunContext) -> ProxyResult:
    """Measure CPU, rate and latency of small requests."""
    amounts = context.amounts.proxy
    rounds: list[dict[str, Load]] = []
    paces: list[dict[str, Load]] = []
    with ExitStack() as stack:
        direct = stack.enter_context(container(context.folder))
        programs = [stack.enter_context(running(name, direct, context.folder)) for name in known(context.servers.name)]
        for number in range(amounts.rounds):
            print_progress(f"proxy: round {number + 1} of {amounts.rounds}")
            rounds.append({program.name: _closed(context, program) for program in programs})
        rates = {program.name: _rate(rounds, program) for program in programs}
        for number in range(amounts.rounds):
            print_progress(f"proxy: latency, round {number + 1} of {amounts.rounds}")
            paces.append({it.name: _paced(context, it, rates) for it in (direct, *programs)})
    return ProxyResult(
        programs={
            it.name: Forwarding(
                cpu_us=spread([_cpu_us(each[it.name]) for each in rounds]),
                per_s=spread([each[it.name].requests / each[it.name].took_s for each in rounds]),
                rate=rates[it.name],
                paced_us=spread([_cpu_us(each[it.name]) for each in paces]),
                added_ms=spread_of_latency([latencies_added(each[it.name], each["direct"]) for each in paces]),
            )
            for it in programs
        },
        direct_ms=spread_of_latency([each["direct"].latencies_s for each in paces]),
        to_floor=_ratio(paces, "floor"),
        to_full_floor=_ratio(rounds, "floor"),
        to_usual=_ratio(rounds, "aiohttp"),
        to_starlette=_ratio(rounds, "starlette") if "starlette" in rounds[0] else None,
        client_us=min(load.own_cpu_s / load.requests for each in rounds for load in each.values()) * 1e6,
    )


def _ratio(rounds: Sequence[dict[str, Load]], other: str) -> Spread:
    """Return CPU a request of `dequeuer proxy` / that of another program, of each round."""
    return spread([_cpu_us(each["dequeuer"]) / _cpu_us(each[other]) for each in rounds])


def _cpu_us(load: Load) -> float:
    return load.cpu_s / load.requests * 1e6


def _closed(context: RunContext, program: Subject) -> Load:
    amounts, share = context.amounts.proxy, SLOW.get(program.name, 1)
    return load(
        LoadPlan(
            mode="closed",
            port=program.port,
            pid=program.pid,
            connections=CONNECTIONS,
            warm=amounts.warm // share,
            measured=amounts.requests // share,
        )
    )


def _rate(rounds: Sequence[dict[str, Load]], program: Subject) -> float:
    """Return half of what `dequeuer proxy` can do; for a program that can do less, half of that."""
    able = [max(each[name].requests / each[name].took_s for each in rounds) for name in ("dequeuer", program.name)]
    return min(able) / 2


def _paced(context: RunContext, program: Subject, rates: dict[str, float]) -> Load:
    rate = rates.get(program.name, rates["dequeuer"])
    return load(
        LoadPlan(
            mode="paced",
            port=program.port,
            pid=program.pid,
            connections=CONNECTIONS,
            warm=int(rate / 4),
            measured=int(rate * context.amounts.proxy.paced_s),
            rate=rate,
        )
    )


def latencies_added(through: Load, direct: Load) -> tuple[float, ...]:
    """Return by how much each percentile is higher through a proxy, in seconds."""
    return tuple(mine - without for mine, without in zip(through.latencies_s, direct.latencies_s, strict=True))


def spread_of_latency(rounds: Sequence[Sequence[float]]) -> Latency:
    """Return the spread of percentiles in seconds over rounds."""
    p50, p99, p999 = (spread([each[at] * 1e3 for each in rounds]) for at in range(3))
    return Latency(p50=p50, p99=p99, p999=p999)


def hold(context: RunContext) -> dict[str, Holding]:
    """Measure memory and large bodies, each in a process of its own."""
    found: dict[str, Holding] = {}
    size = context.amounts.proxy.body_mib * MIB
    plans = {
        "streams": LoadPlan(mode="streams", port=0, connections=STREAMS),
        "idle": LoadPlan(mode="idle", port=0, connections=IDLE_CONNECTIONS),
        "download": LoadPlan(mode="download", port=0, size=size),
        "upload": LoadPlan(mode="upload", port=0, size=size),
    }
    with container(context.folder) as direct:
        # The floor has no bounds: it would show what nobody would run.
        for name in (name for name in known(context.servers.name) if name != "floor"):
            print_progress(f"proxy-memory: {name}")
            loads = {}
            for what, plan in plans.items():
                with running(name, direct, context.folder) as program:
                    loads[what] = load(replace(plan, port=program.port, pid=program.pid))
            found[name] = Holding(
                streams_mib=loads["streams"].peak_mib,
                idle_mib=loads["idle"].peak_mib,
                download_mib=loads["download"].peak_mib,
                upload_mib=loads["upload"].peak_mib,
                download_mib_per_s=size / MIB / loads["download"].took_s,
                upload_mib_per_s=size / MIB / loads["upload"].took_s,
            )
    return found


def load(plan: LoadPlan) -> Load:
    """Run the raw client. Raises `BenchError` when it gets anything else than what it wants."""
    command = [sys.executable, "-m", "bench.proxy.load", json.dumps(asdict(plan))]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)}
    try:
        made = subprocess.run(command, env=environment, capture_output=True, timeout=LIMIT_S, check=False)  # noqa: S603
    except subprocess.TimeoutExpired:
        raise BenchError(f"void, the raw client has not ended within {LIMIT_S:.0f} s: {plan}") from None
    if made.returncode:
        raise BenchError(f"void, the raw client failed: {made.stderr.decode(errors='replace')[-2000:]}")
    read = json.loads(made.stdout)
    return Load(**{**read, "latencies_s": tuple(read["latencies_s"])})
