"""Which addresses and URLs webhooks may be sent to: the receiver is chosen by a client, who must not reach the inside.

Addresses are checked twice: those that are written in a URL when it is submitted, and all of them when the connection
is made, because a name may stand for any address, and for another one the next time.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeAlias
from urllib.parse import urlsplit

Ip: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
Network: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

MAX_URL_CHARS: Final = 2048

_REFUSED: Final[tuple[tuple[str, tuple[str, ...]], ...]] = (
    ("unspecified", ("0.0.0.0/8", "::/128")),
    ("loopback", ("127.0.0.0/8", "::1/128")),
    ("link-local, where metadata services are", ("169.254.0.0/16", "fe80::/10")),
    ("private", ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10")),
    ("of a carrier's NAT, where some metadata services are", ("100.64.0.0/10",)),
    ("of the metadata service of a cloud", ("168.63.129.16/32",)),
    ("multicast", ("224.0.0.0/4", "ff00::/8")),
    (
        "reserved",
        (
            *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24"),
            *("240.0.0.0/4", "::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20"),
            "5f00::/16",
        ),
    ),
)
_REFUSED_NETWORKS: Final[tuple[tuple[str, Network], ...]] = tuple(
    (kind, ipaddress.ip_network(network)) for kind, networks in _REFUSED for network in networks
)
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_VISIBLE: Final = re.compile(r"[!-~]+\Z")
_NAME: Final = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9_.])?\Z")


class InvalidReceiverError(Exception):
    """The URL or the address is not allowed. The text follows "the URL", and quotes nothing of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """The parts of a URL.

    Attributes:
        is_tls: https.
        host: a name or an address, without brackets.
        port: of the URL, or the usual one.
        target: path and query, as they are sent.
    """

    is_tls: bool
    host: str
    port: int
    target: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceiverRules:
    """What is allowed.

    Attributes:
        allowed: networks whose addresses are allowed although they are not public.
        allows_http: whether http is allowed, too.
    """

    allowed: tuple[Network, ...] = ()
    allows_http: bool = False

    def parse(self, url: str) -> Receiver:
        """Return the parts of a URL. Raises `InvalidReceiverError`. Nothing is resolved."""
        if len(url) > MAX_URL_CHARS:
            raise InvalidReceiverError(f"has more than {MAX_URL_CHARS} characters")
        # Visible ASCII only: urlsplit() removes tabs and line ends, and a space would begin another part of the head.
        if _VISIBLE.match(url) is None:
            raise InvalidReceiverError("holds other characters than visible ASCII: encode them")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise InvalidReceiverError("is malformed") from None
        if parts.scheme not in {"https", "http"}:
            raise InvalidReceiverError("does not begin with https://")
        if parts.scheme == "http" and not self.allows_http:
            raise InvalidReceiverError("begins with http://, and only https:// is allowed here")
        if "@" in parts.netloc:
            raise InvalidReceiverError("holds credentials: a receiver verifies the signature instead")
        if port == 0:
            raise InvalidReceiverError("has port 0")
        literal = _literal(host)
        if literal is not None:
            self.check_address(str(literal))
        elif _NAME.match(host) is None:
            raise InvalidReceiverError("has no valid host")
        is_tls = parts.scheme == "https"
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return Receiver(is_tls=is_tls, host=host, port=port or (443 if is_tls else 80), target=target)

    def check_address(self, address: str) -> None:
        """Raise `InvalidReceiverError` unless the address is public, or in one of the allowed networks."""
        try:
            # The zone of a link-local address stands behind a percent sign.
            given = ipaddress.ip_address(address.partition("%")[0])
        except ValueError:
            raise InvalidReceiverError("leads to something that is no address") from None
        found = _inner(given)
        if any(one in network for one in (given, found) for network in self.allowed if network.version == one.version):
            return
        for kind, network in _REFUSED_NETWORKS:
            if found.version == network.version and found in network:
                raise InvalidReceiverError(f"leads to an address that is {kind}: it is not allowed here")


def _literal(host: str) -> Ip | None:
    """Return the address that a host is written as, in any form that a connection takes: 2130706433, 0x7f.1."""
    with suppress(OSError, ValueError):
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
        return ipaddress.ip_address(str(found[0][4][0]).partition("%")[0])
    return None


def _inner(address: Ip) -> Ip:
    """Return the IPv4 address that an IPv6 address leads to, where it does: mapped, NAT64, 6to4."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address.ipv4_mapped or address.sixtofour or address
