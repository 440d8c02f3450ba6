"""The `tcpSocket` probe: whether the container accepts a connection."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field

from dequeuer.core.errors import clip
from dequeuer.probes.base import ProbeResult, ProbeTiming


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpSocketProbe:
    """Connects and closes the connection, as the kubelet does. Nothing is sent or read.

    Attributes:
        name: in logs and metrics.
        timing: `timing.timeout_s` is for the lookup of the host and the connection together.
        port: 1-65535.
        host: an address or a name.
        alternatives: other hosts, tried in turn when nothing listens at `host`.
    """

    name: str
    port: int
    host: str = "127.0.0.1"
    alternatives: tuple[str, ...] = ()
    timing: ProbeTiming = field(default_factory=ProbeTiming)

    async def check(self) -> ProbeResult:
        """Check once. Raises only `CancelledError`."""
        try:
            async with asyncio.timeout(self.timing.timeout_s):
                return await self._connect()
        except TimeoutError:
            return ProbeResult(
                ok=False, detail=f"no connection to {self.host}:{self.port} within {self.timing.timeout_s:g} s"
            )

    async def _connect(self) -> ProbeResult:
        """Try the hosts in turn until one accepts a connection. When all fail, the first error is reported."""
        first: ProbeResult | None = None
        for host in (self.host, *self.alternatives):
            try:
                _, writer = await asyncio.open_connection(host, self.port)
            except (OSError, ValueError) as error:  # ValueError: a host name that cannot be encoded
                first = first or ProbeResult(ok=False, detail=clip(f"no connection to {host}:{self.port}: {error}"))
                if not isinstance(error, ConnectionRefusedError):
                    break
            else:
                local, peer = writer.get_extra_info("sockname"), writer.get_extra_info("peername")
                writer.close()
                with contextlib.suppress(OSError):  # a reset while closing: the connection was accepted
                    await writer.wait_closed()
                result = judge(local, peer)
                if result.ok:
                    return result
                first = first or result
        return first or ProbeResult(ok=False, detail="no host")


def judge(local: object, peer: object) -> ProbeResult:
    """Return the result for a connection with these addresses at its two ends.

    When nothing listens on a port of the ephemeral range, Linux can choose the same port as the local one. Then the
    socket is connected to itself, and the container is not ready.
    """
    if local is not None and local == peer:
        return ProbeResult(ok=False, detail="no connection: nothing listens on the port")
    return ProbeResult(ok=True, detail="connected")
