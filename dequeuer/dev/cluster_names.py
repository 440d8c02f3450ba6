"""How containers find services by the names that these have in a cluster."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dequeuer.dev.environment import reached_directly

HOSTS_FILE: Final = Path("/etc/hosts")
ATTEMPTS: Final = 20
"""Addresses that are tried before it counts as impossible."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A service on this machine.

    Attributes:
        name: the host in a cluster.
        host: the address here.
        port: the port here.
        has_name: the port is the one of the cluster, so containers can find it by its name.
    """

    name: str
    host: str
    port: int
    has_name: bool

    @property
    def variable(self) -> str:
        """Begins the names of the variables with its address; Kubernetes makes them of the name of the Service."""
        service, _, _ = self.name.partition(".")
        return service.upper().replace("-", "_")


def can_have_names() -> bool:
    """Return whether this machine has a file of hosts that can be replaced for a container."""
    return HOSTS_FILE.is_file() and not HOSTS_FILE.is_symlink()


def hosts_of(services: Iterable[Service]) -> str:
    """Return the content of `/etc/hosts` of containers; "": they have that of the machine. Blocks."""
    lines = [f"{service.host} {service.name}\n" for service in services if service.has_name]
    return HOSTS_FILE.read_text(encoding="utf-8", errors="replace") + "\n" + "".join(lines) if lines else ""


def variables_of(services: Sequence[Service], inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the variables by which containers find the services.

    `inherited`: their other variables. A proxy of the user does not get requests to the services.
    """
    made = reached_directly(inherited, *(text for service in services for text in (service.name, service.host)))
    for service in services:
        made[f"{service.variable}_SERVICE_HOST"] = service.host
        made[f"{service.variable}_SERVICE_PORT"] = str(service.port)
    return made


def own_addresses() -> Iterator[str]:
    """Yield addresses of loopback, of which Linux has 16 million. macOS has 127.0.0.1 alone."""
    for _ in range(ATTEMPTS):
        yield f"127.{random.randrange(16, 255)}.{random.randrange(256)}.{random.randrange(1, 255)}"  # noqa: S311 - no secret
