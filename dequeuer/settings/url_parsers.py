"""Parsers of hosts, addresses and URLs, and what else is done with a URL that was given."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

from dequeuer.core.errors import clip
from dequeuer.settings.name_parsers import NAME
from dequeuer.settings.parsers import InvalidValueError, Parser, port_number

_HOST_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9_.])?\Z")
_NUMERIC = re.compile(r"[0-9.]+\Z")
# urlsplit() removes tabs and newlines silently: such a text must not reach it.
_VISIBLE = re.compile(r"[!-~]{1,2048}\Z")

_QUEUE_REGION = re.compile(r"(?:.*\.)?sqs(?:-fips)?\.([a-z]+(?:-[a-z]+)+-[0-9]+)\.")
_LEGACY_REGION = re.compile(r"([a-z]+(?:-[a-z]+)+-[0-9]+)\.queue\.amazonaws\.com(?:\.cn)?\Z")


def _is_host(text: str) -> bool:
    if ":" not in text and not _NUMERIC.match(text):
        return _HOST_NAME.match(text) is not None and ".." not in text
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _read_host(text: str) -> str:
    if not _is_host(text):
        raise InvalidValueError
    return text


def _read_hosts(text: str) -> tuple[str, ...]:
    hosts = [item.strip() for item in text.split(",")]
    for host in hosts:
        if not _is_host(host):
            raise InvalidValueError("" if len(hosts) == 1 else f'"{clip(host)}" is none of them')
        if hosts.count(host) > 1:
            raise InvalidValueError(f"{clip(host)} is there twice")
    return tuple(hosts)


def _read_address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    # An IPv6 host keeps its brackets: "::1:8125" is an address without a port, too.
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if (":" in bare) != (bare != host) or not _is_host(bare):
        raise InvalidValueError
    return host, port_number().read(port)


def _read_url(text: str) -> str:
    if _VISIBLE.match(text) is None:
        raise InvalidValueError
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise InvalidValueError from None
    if "@" in parts.netloc:
        raise InvalidValueError("credentials do not belong in a URL")
    if parts.scheme not in {"http", "https"} or not host or not _is_host(host) or port == 0:
        raise InvalidValueError
    if parts.query or parts.fragment:
        raise InvalidValueError
    return text


def _read_queue_url(text: str) -> str:
    _read_url(text)
    if not urlsplit(text).path.strip("/"):
        raise InvalidValueError("it names no queue")
    return text


def _read_queues(text: str) -> Mapping[str, str]:
    queues: dict[str, str] = {}
    for item in text.split(","):
        name, equals, url = (part.strip() for part in item.partition("="))
        try:
            NAME.read(name if equals else "")
        except InvalidValueError:
            raise InvalidValueError(f'"{clip(mask(item))}" does not begin with an API\'s name and "="') from None
        if name in queues:
            raise InvalidValueError(f"{name} is there twice")
        try:
            queues[name] = _read_queue_url(url)
        except InvalidValueError:
            raise InvalidValueError(f'"{clip(mask(url))}" is not the URL of a queue') from None
    return MappingProxyType(queues)


HOST = Parser(allowed="an IP address or a host name, such as 127.0.0.1 or ::1", read=_read_host)
HOSTS = Parser(
    allowed="IP addresses or host names, separated by commas, such as 127.0.0.1,::1; none twice", read=_read_hosts
)
ADDRESS = Parser(allowed="host:port, such as 10.0.0.1:9125 or [::1]:9125", read=_read_address)
URL = Parser(allowed="a URL that begins with http:// or https://, with a host", read=_read_url)
QUEUE_URL = Parser(
    allowed="the URL of a queue, such as https://sqs.us-west-2.amazonaws.com/123456789012/my-queue",
    read=_read_queue_url,
)
QUEUES = Parser(allowed="name=URL of its queue for each API, separated by commas; no name twice", read=_read_queues)


def queue_region(url: str) -> str | None:
    """Return the region that the host of a queue's URL names, if it names one."""
    host = urlsplit(url).hostname or ""
    if host == "queue.amazonaws.com":
        return "us-east-1"  # the first region had no name in its host
    match = _QUEUE_REGION.match(host) or _LEGACY_REGION.match(host)
    return match.group(1) if match else None


def mask(text: str) -> str:
    """Return text in which no credentials or query of a URL are left, fit for an error."""
    return re.sub(r"\?.*", "?***", re.sub(r"//.*@", "//***@", text, flags=re.DOTALL), flags=re.DOTALL)
