"""The pod: memory, CPU, open files, ports."""

from __future__ import annotations

import asyncio
import errno
import resource
import socket
from contextlib import closing
from typing import Final

from dequeuer.aws.credentials.base import CredentialsUrl, fetch
from dequeuer.check.finding import Finding, Verdict, fault, not_known, ok, warning
from dequeuer.check.plan import MIB, PodNeed
from dequeuer.http.errors import HttpTransportError
from dequeuer.http.origin import LOCALHOST, Origin
from dequeuer.process.cgroup_limits import ProcessLimits, read_limits

LEAST_MEMORY_BYTES: Final = 64 * MIB
"""A program that works uses about as much."""
LEAST_CPUS: Final = 0.1
_HEALTH: Final = frozenset({b"healthy", b"unhealthy"})


async def check_pod(need: PodNeed) -> list[Finding]:
    """Return the findings about the limits of this process, and about its ports."""
    limits = await asyncio.to_thread(read_limits)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    open_files = hard if need.raises_open_files else soft
    found = [
        Finding(id="pod.memory", subject="", verdict=judge_memory(limits, need)),
        Finding(id="pod.cpu", subject="", verdict=judge_cpu(limits)),
        Finding(id="pod.open_files", subject="", verdict=judge_open_files(open_files, need)),
    ]
    is_running = await _is_dequeuer(need.admin_port)
    for option, port in need.ports.items():
        verdict = judge_port(port, option, is_free=is_free(port), is_running=is_running)
        found.append(Finding(id="pod.port", subject=str(port), verdict=verdict))
    return found


def judge_memory(limits: ProcessLimits | None, need: PodNeed) -> Verdict:
    """Return whether the limit of memory suffices."""
    if limits is None:
        return not_known("this machine does not say which limits hold")
    if limits.memory_bytes is None:
        return ok("no limit")
    text = f"{limits.memory_bytes / MIB:.0f} MiB; {need.memory_bytes / MIB:.0f} MiB are advised"
    action = f"raise resources.limits.memory of this container to {need.memory_bytes // MIB}Mi"
    if limits.memory_bytes < LEAST_MEMORY_BYTES:
        return fault(text, action)
    return ok(text) if limits.memory_bytes >= need.memory_bytes else warning(text, f"{action}: large bodies can end it")


def judge_cpu(limits: ProcessLimits | None) -> Verdict:
    """Return whether the quota of CPU suffices."""
    if limits is None:
        return not_known("this machine does not say which limits hold")
    if limits.cpus is None:
        return ok("no quota")
    text = f"{limits.cpus:g} CPUs"
    if limits.cpus >= LEAST_CPUS:
        return ok(text)
    return warning(text, "leases are renewed late in a process that is held back: remove resources.limits.cpu")


def judge_open_files(limit: int, need: PodNeed) -> Verdict:
    """Return whether enough connections can be open."""
    if limit == resource.RLIM_INFINITY:
        return ok("no limit")
    text = f"{limit}; {need.connections} can be needed"
    if limit >= need.connections:
        return ok(text)
    return warning(
        text, "raise the limit of open files of the container runtime (LimitNOFILE), or lower the concurrency"
    )


def judge_port(port: int, option: str, *, is_free: bool, is_running: bool) -> Verdict:
    """Return whether a port can be listened on. `is_running`: a program of this project has the admin port."""
    if is_free:
        return ok("free")
    if is_running:
        return ok("the program runs")
    return fault(f"another program listens on port {port}", f"change {option}, or the port of that program")


def is_free(port: int) -> bool:
    """Return whether nobody listens on a port of any IPv4 address."""
    with closing(socket.socket()) as made:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            made.bind(("", port))
        except OSError as error:
            # A port below 1024 that may not be bound is no port that somebody has.
            return error.errno != errno.EADDRINUSE
    return True


async def _is_dequeuer(admin_port: int) -> bool:
    url = CredentialsUrl(Origin(host=LOCALHOST, port=admin_port), "/healthz")
    try:
        return (await fetch(url, "GET", timeout_s=1.0)).body.strip() in _HEALTH
    except HttpTransportError:
        return False
