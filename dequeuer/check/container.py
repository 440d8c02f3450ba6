"""The container beside a sidecar: its probes, and whether it speaks HTTP/1."""

from __future__ import annotations

import asyncio

from dequeuer.check.finding import Finding, Verdict, fault, not_known, ok, warning
from dequeuer.check.plan import ContainerNeed
from dequeuer.core.errors import clip
from dequeuer.http.protocols import HTTP1
from dequeuer.probes.base import Probe
from dequeuer.probes.gate import check_once
from dequeuer.probes.protocol import identify


async def check_container(need: ContainerNeed) -> list[Finding]:
    """Return the findings about the container. Each probe looks once."""
    probes = asyncio.gather(*(_check_probe(probe) for probe in need.probes))
    protocol, found = await asyncio.gather(identify(need.hosts, need.port), probes)
    return [*found, Finding(id="container.http", subject="", verdict=judge_protocol(protocol, need.port))]


async def _check_probe(probe: Probe) -> Finding:
    result = await check_once(probe)
    text = clip(result.detail)
    if result.ok:
        verdict = warning(text, "see the container's answer") if result.warning else ok(text or "passes")
    else:
        verdict = fault(
            text,
            "nothing is received while it fails: look at the log of the container, at its port (CORTEX_PORT, "
            "DEQUEUER_USER_PORT) and at probes.json",
        )
    return Finding(id="container.probe", subject=probe.name, verdict=verdict)


def judge_protocol(protocol: str | None, port: int) -> Verdict:
    """Return whether the container speaks HTTP/1. `protocol`: see `identify`."""
    if protocol is None:
        return not_known(f"nobody listens on port {port}", "see container.probe")
    if protocol == HTTP1:
        return ok(protocol)
    found = f"it speaks {clip(protocol)}" if protocol else "it accepts connections and sends nothing"
    return fault(found, f"nothing is received until something on port {port} speaks HTTP/1, without TLS")
