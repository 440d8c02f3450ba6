"""Where the proxies of RealtimeAPIs listen, and how containers find them."""

from __future__ import annotations

import random
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from dequeuer.dev.environment import reached_directly
from dequeuer.process.ports import HOST, free_ports

PORT: Final = 8888
"""Of the Service of a RealtimeAPI in Cortex's clusters."""
HOSTS_FILE: Final = Path("/etc/hosts")
_ATTEMPTS: Final = 20


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
    def hosts(self) -> str:
        """The content of `/etc/hosts` of containers; "": they have that of the machine."""
        lines = [f"{host} api-{name}\n" for name, (host, port) in self.by_name.items() if port == PORT]
        return HOSTS_FILE.read_text(encoding="utf-8", errors="replace") + "\n" + "".join(lines) if lines else ""

    def variables(self, inherited: Mapping[str, str]) -> dict[str, str]:
        """Return the variables by which containers find the APIs: those of Kubernetes for the Service `api-<name>`.

        `inherited`: their other variables. A proxy of the user does not get requests to the APIs.
        """
        direct = [text for name, (host, _) in self.by_name.items() for text in (f"api-{name}", host)]
        made = reached_directly(inherited, *direct)
        for name, (host, port) in self.by_name.items():
            service = f"API_{name.upper().replace('-', '_')}_SERVICE"
            made[f"{service}_HOST"], made[f"{service}_PORT"] = host, str(port)
        return made


def can_have_names() -> bool:
    """Return whether this machine has a file of hosts that can be replaced for a container."""
    return HOSTS_FILE.is_file() and not HOSTS_FILE.is_symlink()


def _own_address() -> tuple[str, int] | None:
    """Return a free loopback address with `PORT`; None: there is none, as on macOS, which has 127.0.0.1 alone."""
    for _ in range(_ATTEMPTS):
        host = f"127.{random.randrange(16, 255)}.{random.randrange(256)}.{random.randrange(1, 255)}"  # noqa: S311 - no secret
        with socket.socket() as probe:
            try:
                probe.bind((host, PORT))
            except OSError:
                continue
        return host, PORT
    return None
