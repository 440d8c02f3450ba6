"""The `tcpSocket` probe: can a connection be made?"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field

from dequeuer.core.errors import clip
from dequeuer.probes.base import ProbeResult, ProbeTiming


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpSocketProbe:
    """Connects and closes, as the kubelet does; nothing is sent and nothing is read.

    Attributes:
        name: what logs and metrics call it.
        timing: `timing.timeout_s` covers the look-up of the host and the connection.
        port: 1-65535.
        host: an address or a name.
        alternatives: other hosts, for when nobody listens at `host`.
    """

    name: str
    port: int
    host: str = "127.0.0.1"
    alternatives: tuple[str, ...] = ()
    timing: ProbeTiming = field(default_factory=ProbeTiming)

    async def check(self) -> ProbeResult:
        """Look once. Raises nothing but `CancelledError`."""
        try:
            async with asyncio.timeout(self.timing.timeout_s):
                return await self._connect()
        except TimeoutError:
            return ProbeResult(
                ok=False, detail=f"no connection to {self.host}:{self.port} within {self.timing.timeout_s:g} s"
            )

    async def _connect(self) -> ProbeResult:
        """Ask the hosts in turn until one accepts a connection; of several failures the first is reported."""
        first: ProbeResult | None = None
        for host in (self.host, *self.alternatives):
            try:
                _, writer = await asyncio.open_connection(host, self.port)
            except (OSError, ValueError) as error:  # ValueError: a host that no resolver can encode
                first = first or ProbeResult(ok=False, detail=clip(f"no connection to {host}:{self.port}: {error}"))
                if not isinstance(error, ConnectionRefusedError):
                    break
            else:
                local, peer = writer.get_extra_info("sockname"), writer.get_extra_info("peername")
                writer.close()
                with contextlib.suppress(OSError):  # a reset while closing: the connection had been made
                    await writer.wait_closed()
                result = judge(local, peer)
                if result.ok:
                    return result
                first = first or result
        return first or ProbeResult(ok=False, detail="no host")


def judge(local: object, peer: object) -> ProbeResult:
    """Judge a connection by the addresses of its two ends.

    Linux may pick the very port that is connected to as the local one when nobody listens there and
    it lies in the ephemeral range: the socket is then connected to itself, and nobody is ready.
    """
    if local is not None and local == peer:
        return ProbeResult(ok=False, detail="no connection: nobody listens on the port")
    return ProbeResult(ok=True, detail="connected")
