"""The ingress of Cortex's clusters, by whose names containers call APIs: the gateway, at port 80."""

from __future__ import annotations

import asyncio
import errno
from collections.abc import Iterable
from typing import Final

from dequeuer.dev.cluster_names import Service
from dequeuer.dev.forwarder import Forwarder
from dequeuer.process.ports import HOST

PORT: Final = 80
NAMESPACE: Final = "istio-system.svc.cluster.local"
NAMES: Final = ("ingressgateway-apis", "ingressgateway-operator")
"""APIs are at their endpoints at the first, `/batch/<api>` and `/tasks/<api>` at the second. The gateway is both."""


class Ingress:
    """`Stoppable`. Passes what comes to port 80 of a loopback address on to the gateway.

    Args:
        gateway_port: of the gateway.
    """

    def __init__(self, gateway_port: int) -> None:
        self._gateway_port = gateway_port
        self._forwarder = Forwarder(gateway_port)
        self._host: str | None = None
        self.obstacle = "containers have no /etc/hosts of their own here"
        """Why containers do not find the names; "": they do."""

    async def open(self, hosts: Iterable[str], port: int = PORT) -> None:
        """Listen. When that is impossible, `obstacle` says why, and containers have variables alone.

        Args:
            hosts: addresses of loopback; the first one with a free port is taken.
            port: to listen on.
        """
        for host in hosts:
            try:
                await self._forwarder.listen(host, port)
            except PermissionError:
                self.obstacle = f"port {port} needs root, or sysctl net.ipv4.ip_unprivileged_port_start={port}"
                return
            except OSError as error:
                in_use = error.errno == errno.EADDRINUSE
                self.obstacle = f"port {port} is in use by another program" if in_use else f"port {port}: {error}"
            else:
                self._host, self.obstacle = host, ""
                return

    @property
    def services(self) -> tuple[Service, ...]:
        """The Services of the ingress."""
        return tuple(
            Service(
                name=f"{name}.{NAMESPACE}",
                host=self._host or HOST,
                port=self._gateway_port if self._host is None else PORT,
                has_name=self._host is not None,
            )
            for name in NAMES
        )

    @property
    def notice(self) -> str:
        """What people have to know when containers do not find the names; "": nothing."""
        if not self.obstacle:
            return ""
        hosts = " and ".join(f"http://{service.name}/" for service in self.services)
        variable = self.services[0].variable
        return (
            f"containers do not find {hosts}: {self.obstacle}.\n"
            f"    They reach the gateway at http://$({variable}_SERVICE_HOST):$({variable}_SERVICE_PORT)/"
        )

    async def stop(self, stop_now: asyncio.Event) -> None:
        """End all connections."""
        await self._forwarder.stop(stop_now)
