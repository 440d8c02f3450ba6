"""Measures submissions: requests with their payload in the message, as fast as the gateway takes them."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from bench.canned.state import Shape
from bench.child import child, wait_until_listening
from bench.context import RunContext, print_progress
from bench.proxy.plan import Load, LoadPlan
from bench.proxy.run import load
from bench.sidecar import Setup, bytecode, environment, free_port
from bench.spread import Spread, spread
from bench.wire_format import API

CONNECTIONS: Final = 32
_SHARED: Final = frozenset({"DEQUEUER_BUCKET", "DEQUEUER_CLUSTER_UID", "DEQUEUER_AWS_CLIENT"})
PARTS: Final = 4
"""The submissions of the row are sent in as many parts: each has its CPU and rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GatewayResult:
    """The result of the row.

    Attributes:
        submissions: of all parts.
        per_s: submissions a second.
        cpu_us: CPU time a submission.
        floor_us: of the floor.
        ratio: of the gateway to the floor, of each part.
        first_mib: peak memory after the first part.
        last_mib: after the last one.
    """

    submissions: int
    per_s: Spread
    cpu_us: Spread
    floor_us: Spread
    ratio: Spread
    first_mib: float
    last_mib: float


def measure(context: RunContext) -> GatewayResult:
    """Measure the row."""
    part = context.amounts.submissions // PARTS
    print_progress(f"gateway: {PARTS} times {part} submissions")
    context.own.begin(Shape())
    ours: list[Load] = []
    floor: list[Load] = []
    with gateway_process(context) as gateway, _floor(context) as lowest:
        for _ in range(PARTS):
            ours.append(_submit(*gateway, part))
            floor.append(_submit(*lowest, part))
    context.own.observed()  # raises when an unknown request came
    return GatewayResult(
        submissions=part * PARTS,
        per_s=spread([it.requests / it.took_s for it in ours]),
        cpu_us=spread([_cpu_us(it) for it in ours]),
        floor_us=spread([_cpu_us(it) for it in floor]),
        ratio=spread([_cpu_us(mine) / _cpu_us(other) for mine, other in zip(ours, floor, strict=True)]),
        first_mib=ours[0].peak_mib,
        last_mib=ours[-1].peak_mib,
    )


def _cpu_us(it: Load) -> float:
    return it.cpu_s / it.requests * 1e6


def _submit(port: int, pid: int, count: int) -> Load:
    return load(
        LoadPlan(mode="submit", port=port, pid=pid, connections=CONNECTIONS, warm=CONNECTIONS * 10, measured=count)
    )


@contextmanager
def gateway_process(context: RunContext) -> Iterator[tuple[int, int]]:
    """Run a gateway that serves one API from the canned servers; yield its port and its process id."""
    port, log = free_port(), context.folder / "gateway.log"
    setup = Setup(shape=Shape(), workers=1, tls=False)
    of_sidecar = environment(context.own, setup, context.folder, context.client)
    settings = {
        **{name: value for name, value in of_sidecar.items() if not name.startswith("DEQUEUER_") or name in _SHARED},
        "DEQUEUER_QUEUES": f"{API}={context.own.ports.queue_url(tls=False)}",
        "DEQUEUER_GATEWAY_HOST": "127.0.0.1",
        "DEQUEUER_GATEWAY_PORT": str(port),
        "DEQUEUER_ADMIN_HOST": "127.0.0.1",
        "DEQUEUER_ADMIN_PORT": str(free_port()),
        "DEQUEUER_INLINE_BYTES": "64KiB",
        "DEQUEUER_LOG_FORMAT": "json",
    }
    with child([sys.executable, "-m", "dequeuer", "gateway"], log, settings) as process:
        wait_until_listening(port, "the gateway", process, log)
        yield port, process.pid


@contextmanager
def _floor(context: RunContext) -> Iterator[tuple[int, int]]:
    port, log, ports = free_port(), context.folder / "gateway-floor.log", context.own.ports
    command = [sys.executable, "-m", "bench.gateway.floor", str(port), str(ports.sqs_http), str(ports.s3_http)]
    with child(command, log, bytecode(context.folder)) as process:
        wait_until_listening(port, "the floor of the gateway", process, log)
        yield port, process.pid
