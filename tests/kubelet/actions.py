"""What the kubelet does in a container: it asks a port or runs a command. For probes and hooks."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from dequeuer.probes.base import ProbeResult, ProbeTiming
from dequeuer.probes.http_get import HttpGetProbe
from dequeuer.probes.tcp_socket import TcpSocketProbe
from tests.kubelet.errors import UnsupportedError, only_known


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpGet:
    """A GET of a port. `host` None: the address of the pod, not loopback."""

    port: int
    path: str
    host: str | None
    https: bool
    headers: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class TcpSocket:
    """A connection to a port. `host` None: the address of the pod, not loopback."""

    port: int
    host: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Exec:
    """A command inside of the container."""

    command: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sleep:
    """A pause; only as a hook."""

    seconds: float


Action: TypeAlias = HttpGet | TcpSocket | Exec | Sleep


class Inside(Protocol):
    """The container in which commands run."""

    def command(self, command: Sequence[str]) -> list[str]:
        """Return the command that runs the given one there."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The whole environment of the container."""


def read_action(given: Mapping[str, Any], ports: Mapping[str, int], what: str) -> Action:
    """Return the action of a probe or hook. `ports`: of the container, by name. Raises `UnsupportedError`."""
    if "httpGet" in given:
        http = given["httpGet"]
        only_known(http, ("port", "path", "host", "scheme", "httpHeaders"), what)
        return HttpGet(
            port=_port(http["port"], ports, what),
            path=http.get("path", "/"),
            host=http.get("host"),
            https=http.get("scheme", "HTTP") == "HTTPS",
            headers=tuple((header["name"], header["value"]) for header in http.get("httpHeaders", ())),
        )
    if "tcpSocket" in given:
        only_known(given["tcpSocket"], ("port", "host"), what)
        return TcpSocket(port=_port(given["tcpSocket"]["port"], ports, what), host=given["tcpSocket"].get("host"))
    if "exec" in given:
        return Exec(command=given["exec"]["command"])
    if "sleep" in given:
        return Sleep(seconds=given["sleep"]["seconds"])
    raise UnsupportedError(f"{what} is none of httpGet, tcpSocket, exec, sleep: {sorted(given)}")


def _port(given: int | str, ports: Mapping[str, int], what: str) -> int:
    if isinstance(given, str) and given not in ports:
        raise UnsupportedError(f"{what} names the port '{given}'; its container has {sorted(ports)}")
    return ports[given] if isinstance(given, str) else given


async def act(action: Action, timing: ProbeTiming, pod_ip: str, inside: Inside) -> ProbeResult:
    """Do it once, within `timing.timeout_s`. A failure is a result."""
    match action:
        case HttpGet():
            return await HttpGetProbe(
                name="kubelet",
                port=action.port,
                host=action.host or pod_ip,
                path=action.path,
                https=action.https,
                headers=action.headers,
                timing=timing,
            ).check()
        case TcpSocket():
            host = action.host or pod_ip
            return await TcpSocketProbe(name="kubelet", port=action.port, host=host, timing=timing).check()
        case Sleep():
            await asyncio.sleep(min(action.seconds, timing.timeout_s))
            return ProbeResult(ok=True, detail="slept")
        case Exec():
            return await _run(inside.command(action.command), inside.environment, timing.timeout_s)


async def _run(command: Sequence[str], environment: Mapping[str, str], timeout_s: float) -> ProbeResult:
    process = await asyncio.create_subprocess_exec(
        *command,
        env=dict(environment),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(timeout_s):
            status = await process.wait()
    except TimeoutError:
        return ProbeResult(ok=False, detail=f"the command had not ended after {timeout_s:g} s")
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.send_signal(signal.SIGKILL)
            await process.wait()
    return ProbeResult(ok=status == 0, detail=f"the command ended with {status}")
