"""Where the proxies of RealtimeAPIs listen."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Self

from dequeuer.dev.cluster_names import Service, own_addresses
from dequeuer.process.ports import HOST, free_ports

PORT: Final = 8888
"""Of the Service of a RealtimeAPI in Cortex's clusters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RealtimeAddresses:
    """The addresses of one run.

    Attributes:
        by_name: host and port of each proxy, by the name of the API.
    """

    by_name: Mapping[str, tuple[str, int]]

    @classmethod
    def choose(cls, names: Iterable[str], *, with_names: bool) -> Self:
        """Choose free addresses.

        Args:
            names: of the APIs.
            with_names: containers can find `api-<name>:8888`, so each API gets a loopback address of its own.
        """
        listed = list(names)
        found = zip(listed, free_ports(len(listed)), strict=True)
        return cls(by_name={name: (with_names and _own_address()) or (HOST, port) for name, port in found})

    @property
    def urls(self) -> dict[str, str]:
        """The URL of each proxy, by the name of the API."""
        return {name: f"http://{host}:{port}" for name, (host, port) in self.by_name.items()}

    @property
    def services(self) -> tuple[Service, ...]:
        """The Service `api-<name>` of each API."""
        return tuple(
            Service(name=f"api-{name}", host=host, port=port, has_name=port == PORT)
            for name, (host, port) in self.by_name.items()
        )


def _own_address() -> tuple[str, int] | None:
    """Return a free loopback address with `PORT`; None: there is none, as on macOS."""
    for host in own_addresses():
        with socket.socket() as probe:
            try:
                probe.bind((host, PORT))
            except OSError:
                continue
        return host, PORT
    return None
