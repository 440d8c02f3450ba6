"""The enqueuer: items a second from a file of equal items, CPU an item, and memory with a large file."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from bench.canned.job import BATCH_SIZE
from bench.canned.state import Shape
from bench.child import ROOT, BenchError, tail
from bench.context import RunContext, print_progress
from bench.sidecar import Setup, environment, free_port
from bench.spread import Spread, spread
from bench.wire_format import BUCKET, CLUSTER

LIMIT_S = 900.0
SMALL_ITEM_BYTES, LARGE_ITEM_BYTES = 100, 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class EnqueuerResult:
    """The result of the row.

    Attributes:
        items_per_s: with small items; start and end of the process are in it.
        cpu_us: CPU time an item.
        large_items_per_s: with large items, from the large file.
        file_mib: size of the large file.
        peak_mib: peak memory with the large file.
    """

    items_per_s: Spread
    cpu_us: Spread
    large_items_per_s: float
    file_mib: float
    peak_mib: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    items_per_s: float
    cpu_us: float
    peak_mib: float


def measure(context: RunContext) -> EnqueuerResult:
    """Measure the row."""
    amounts = context.amounts
    print_progress(f"enqueuer: {amounts.enqueued} items, {context.runs} runs; then {amounts.large_source >> 20} MiB")
    small = [_run(context, amounts.enqueued, SMALL_ITEM_BYTES) for _ in range(context.runs)]
    large = _run(context, amounts.large_source // LARGE_ITEM_BYTES, LARGE_ITEM_BYTES)
    return EnqueuerResult(
        items_per_s=spread([run.items_per_s for run in small]),
        cpu_us=spread([run.cpu_us for run in small]),
        large_items_per_s=large.items_per_s,
        file_mib=amounts.large_source / 2**20,
        peak_mib=large.peak_mib,
    )


def _run(context: RunContext, items: int, item_bytes: int) -> _Run:
    shape = Shape(kind="batch", source_bytes=items * item_bytes, item_bytes=item_bytes)
    servers, folder = context.own, context.folder
    servers.begin(shape)
    settings = environment(servers, Setup(shape=shape, workers=1, tls=False), folder, context.client)
    settings |= {"DEQUEUER_BUCKET": BUCKET, "DEQUEUER_CLUSTER_UID": CLUSTER}
    log = folder / "enqueuer.log"
    started_s = time.monotonic()
    cpu_s, peak_mib = _wait(_start(settings, log), log)
    took_s = time.monotonic() - started_s
    sent = servers.observed()["sent"]
    batches = -(-items // BATCH_SIZE)
    if sent != batches + 1:
        raise BenchError(f"void, {sent} messages were sent instead of {batches + 1}; the log ends with:\n{tail(log)}")
    return _Run(items_per_s=items / took_s, cpu_us=cpu_s / items * 1e6, peak_mib=peak_mib)


def _start(settings: dict[str, str], log: Path) -> subprocess.Popen[bytes]:
    more = {"DEQUEUER_ADMIN_PORT": str(free_port())}
    with log.open("wb") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "dequeuer", "enqueue"],
            env={"PATH": os.environ["PATH"], "HOME": str(log.parent), "PYTHONPATH": str(ROOT), **settings, **more},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=log.parent,
        )


def _wait(process: subprocess.Popen[bytes], log: Path) -> tuple[float, float]:
    """Wait for the end of the process; return its CPU seconds and its peak memory in MiB, counted by the kernel."""
    timer = threading.Timer(LIMIT_S, process.kill)
    timer.start()
    try:
        _, status, used = os.wait4(process.pid, 0)
    finally:
        timer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise BenchError(f"void, the enqueuer ended with {process.returncode}; its log ends with:\n{tail(log)}")
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024
