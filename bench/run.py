"""One run: starts the servers, measures the selected rows, returns the results."""

from __future__ import annotations

import os
import platform
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from importlib.metadata import version
from pathlib import Path

from bench import certificates, cpu, distance, enqueuer, memory, startup_and_idle
from bench.child import BenchError
from bench.context import RunContext
from bench.gateway import run as gateway
from bench.gateway import waiters
from bench.nginx import nginx
from bench.options import Options
from bench.proxy import run as proxy
from bench.results import Results
from bench.rows import CPU_ROWS, FULL, QUICK, Amounts
from bench.servers import Servers, canned
from dequeuer import __version__


def run(options: Options, folder: Path) -> Results:
    """Measure the selected rows. A row that fails is marked void; the others are still measured."""
    with open_context(options, folder) as made:
        results = Results(about=about(options, made.servers.name))
        for name, measure in _measurements(made, results).items():
            if name in options.rows:
                try:
                    measure()
                except BenchError as error:
                    results.void[name] = str(error)
        return results


@contextmanager
def open_context(options: Options, folder: Path) -> Iterator[RunContext]:
    """Start the servers; stop them at the end of the block."""
    made = certificates.make(folder)
    with ExitStack() as stack:
        own = stack.enter_context(canned(folder, made))
        yield RunContext(
            servers=stack.enter_context(_servers(options, folder, own, made)),
            own=own,
            folder=folder,
            amounts=amounts(options),
            runs=options.runs,
            client=options.client,
        )


@contextmanager
def _servers(options: Options, folder: Path, own: Servers, made: certificates.Certificates) -> Iterator[Servers]:
    wanted = options.servers or ("nginx" if shutil.which("nginx") else "own")
    if wanted == "own":
        yield own
        return
    with nginx(folder, own, made) as servers:
        yield servers


def amounts(options: Options) -> Amounts:
    """Return how much is measured."""
    usual = QUICK if options.quick else FULL
    return usual if options.soak is None else replace(usual, soak=options.soak)


def about(options: Options, servers: str) -> dict[str, str]:
    """Return versions, machine and options."""
    return {
        "dequeuer": __version__,
        "client": options.client or "default",
        "servers": servers,
        "runs": f"{options.runs}{', quick' if options.quick else ''}",
        "Python": platform.python_version(),
        "uvloop": version("uvloop"),
        "machine": f"{os.cpu_count()} x {processor()}",
    }


def processor(facts: Path = Path("/proc/cpuinfo")) -> str:
    """Return the model name of the processor."""
    lines = facts.read_text(encoding="utf-8", errors="replace").splitlines()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())


def _measurements(made: RunContext, results: Results) -> dict[str, Callable[[], None]]:
    def measure_cpu(at: int) -> None:
        results.cpu[CPU_ROWS[at].name] = cpu.measure(made, CPU_ROWS[at])

    def measure_distance() -> None:
        results.distance = distance.measure(made)

    def measure_memory() -> None:
        results.busy_mib = memory.busy_mib(made)
        results.memory = memory.by_size(made)

    def measure_start() -> None:
        results.start = startup_and_idle.start(made)

    def measure_latency() -> None:
        results.latency_s = startup_and_idle.latency_s(made)

    def measure_idle() -> None:
        results.idle_percent = startup_and_idle.idle_percent(made)

    def measure_soak() -> None:
        if made.amounts.soak:
            results.soak = memory.soak(made, made.amounts.soak)

    def measure_enqueuer() -> None:
        results.enqueuer = enqueuer.measure(made)

    return {
        **{row.name: partial(measure_cpu, at) for at, row in enumerate(CPU_ROWS)},
        "distance": measure_distance,
        "memory": measure_memory,
        "start": measure_start,
        "latency": measure_latency,
        "idle": measure_idle,
        "enqueuer": measure_enqueuer,
        **_program_measurements(made, results),
        "soak": measure_soak,
    }


def _program_measurements(made: RunContext, results: Results) -> dict[str, Callable[[], None]]:
    def measure_gateway() -> None:
        results.gateway = gateway.measure(made)

    def measure_waiters() -> None:
        results.waiters = waiters.measure(made)

    def measure_proxy() -> None:
        results.proxy = proxy.measure(made)

    def measure_proxy_memory() -> None:
        results.proxy_memory = proxy.hold(made)

    return {
        "gateway": measure_gateway,
        "waiters": measure_waiters,
        "proxy": measure_proxy,
        "proxy-memory": measure_proxy_memory,
    }
