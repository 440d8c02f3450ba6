"""Where the proxies of RealtimeAPIs listen, and how containers find them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

from dequeuer.process.ports import HOST, free_ports


@dataclass(frozen=True, slots=True, kw_only=True)
class RealtimeAddresses:
    """The addresses of one run.

    Attributes:
        by_name: host and port of each proxy, by the name of the API.
    """

    by_name: Mapping[str, tuple[str, int]]

    @classmethod
    def choose(cls, names: Iterable[str]) -> Self:
        """Choose free ports."""
        listed = list(names)
        return cls(by_name={name: (HOST, port) for name, port in zip(listed, free_ports(len(listed)), strict=True)})

    def of(self, name: str) -> tuple[str, int]:
        """Return the address of an API."""
        return self.by_name[name]

    @property
    def urls(self) -> dict[str, str]:
        """The URL of each proxy, by the name of the API."""
        return {name: f"http://{host}:{port}" for name, (host, port) in self.by_name.items()}

    @property
    def variables(self) -> dict[str, str]:
        """The variables by which containers find the APIs: those of Kubernetes for the Service `api-<name>`."""
        made = {}
        for name, (host, port) in self.by_name.items():
            service = f"API_{name.upper().replace('-', '_')}_SERVICE"
            made[f"{service}_HOST"], made[f"{service}_PORT"] = host, str(port)
        return made
