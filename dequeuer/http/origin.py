"""The address of a server."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

LOCALHOST, LOCALHOST_IPV6 = "127.0.0.1", "::1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The address of a server.

    Attributes:
        host: an address or a name.
        port: of all addresses.
        tls: None: plain HTTP.
        alternatives: other hosts, tried when `host` refuses the connection.
    """

    host: str
    port: int
    tls: ssl.SSLContext | None = None
    alternatives: tuple[str, ...] = ()

    @property
    def authority(self) -> str:
        """The value of the Host field."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == (80 if self.tls is None else 443) else f"{host}:{self.port}"
