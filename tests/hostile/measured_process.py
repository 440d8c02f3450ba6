"""A process that gets hostile responses, and prints how much memory each of them took.

`python -m tests.hostile.measured_process <what>:<port> ...` writes one JSON object a line.
"""

from __future__ import annotations

import asyncio
import gc
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from dequeuer.container.target import HttpTarget
from dequeuer.probes.base import ProbeTiming
from dequeuer.probes.http_get import HttpGetProbe
from tests.fakes import make_message
from tests.hostile import evidence

MAX_BYTES = 16 * 2**20
CONCURRENT_REQUESTS = 10


def _memory_kib(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1])
    raise KeyError(field)


def _new_peak() -> int:
    Path("/proc/self/clear_refs").write_text("5")
    return _memory_kib("VmRSS")


async def answer(port: int, timeout_s: float = 20) -> str:
    """Send one request."""
    target = HttpTarget(port=port, timeout_s=timeout_s)
    try:
        handler = evidence.async_handler(evidence.submitted(), target, MAX_BYTES)
        outcome = await evidence.work(handler, make_message("request-1"))
        return getattr(outcome, "state", "retried")
    finally:
        await target.close()


async def short_timeout(port: int) -> str:
    """Send one request with a short timeout."""
    return await answer(port, 1.0)


async def concurrent(port: int) -> str:
    """Send many requests at the same time; they share the memory limit for results."""
    target = HttpTarget(port=port, timeout_s=60)
    store = evidence.Discard()
    for at in range(CONCURRENT_REQUESTS):
        store.seed([(f"{evidence.PREFIX}{at}/payload", b"x")])
    handler = evidence.async_handler(store, target, MAX_BYTES)
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [
                group.create_task(evidence.work(handler, make_message(str(at)))) for at in range(CONCURRENT_REQUESTS)
            ]
        return ",".join(sorted({getattr(task.result(), "state", "retried") for task in tasks}))
    finally:
        await target.close()


async def probe(port: int, timeout_s: float = 0.5) -> str:
    """Run one check."""
    result = await HttpGetProbe(name="p", port=port, timing=ProbeTiming(timeout_s=timeout_s)).check()
    return str(result.ok)


async def patient_probe(port: int) -> str:
    """Run one check that needs an answer in time."""
    return await probe(port, 60.0)


KINDS: dict[str, Callable[[int], Awaitable[str]]] = {
    "answer": answer,
    "short_timeout": short_timeout,
    "concurrent": concurrent,
    "probe": probe,
    "patient_probe": patient_probe,
}


async def main(attacks: list[str]) -> None:
    """Run one attack after the other."""
    for attack in attacks:
        kind, port = attack.split(":")
        gc.collect()
        before = _new_peak()
        with evidence.captured() as out:
            result = await KINDS[kind](int(port))
        grown = (_memory_kib("VmHWM") - before) / 1024
        leaked = evidence.CANARY in out.getvalue()
        sys.stdout.write(json.dumps({"result": result, "mib": round(grown, 1), "leaked": leaked}) + "\n")


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1:]))
