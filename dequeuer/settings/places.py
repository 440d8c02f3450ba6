"""Parsers of what names a place or a thing: URLs, hosts, paths, names, buckets."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from types import MappingProxyType
from urllib.parse import urlsplit

from dequeuer.core.errors import clip
from dequeuer.settings.parsers import Parser, RefusedError

# \Z, not $: the latter would let a trailing newline through into a key or a header.
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}\Z")
_REGION = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\Z")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]\Z")
_ACCESS_POINT = re.compile(
    r"arn:aws[a-z-]*:s3[a-z-]*:[a-z0-9-]+:[0-9]{12}:(?:outpost[/:][a-z0-9-]{1,64}[/:])?accesspoint[/:][A-Za-z0-9._-]{1,128}\Z"
)
_ACCOUNT = re.compile(r"[0-9]{12}\Z")
_KMS_KEY = re.compile(r"(?:arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:(?:key|alias)/)?[A-Za-z0-9][A-Za-z0-9/_-]{0,255}\Z")
_HOST_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9_.])?\Z")
_NUMERIC = re.compile(r"[0-9.]+\Z")
# urlsplit() drops tabs and newlines without a word: they must not get there.
_VISIBLE = re.compile(r"[!-~]{1,2048}\Z")
_PORT = re.compile(r"[0-9]{1,5}\Z")

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


def _pattern(pattern: re.Pattern[str], allowed: str) -> Parser[str]:
    def read(text: str) -> str:
        if pattern.match(text) is None:
            raise RefusedError
        return text

    return Parser(allowed=allowed, read=read)


NAME = _pattern(_NAME, 'a letter or digit, then up to 127 of letters, digits, ".", "_" and "-"')
ACCOUNT = _pattern(_ACCOUNT, "the id of an AWS account, 12 digits")
KMS_KEY = _pattern(_KMS_KEY, "the id, the alias (alias/my-key) or the ARN of a KMS key")
REGION = _pattern(_REGION, "the name of an AWS region, such as us-west-2")


def _read_bucket(text: str) -> str:
    if _BUCKET.match(text) is None and _ACCESS_POINT.match(text) is None:
        raise RefusedError
    return text


BUCKET = Parser(
    allowed='a bucket name (3 to 63 of a-z, 0-9, "." and "-") or the ARN of an access point', read=_read_bucket
)


def _read_host(text: str) -> str:
    if not _is_host(text):
        raise RefusedError
    return text


HOST = Parser(allowed="an IP address or a host name, such as 127.0.0.1 or ::1", read=_read_host)


def _read_hosts(text: str) -> tuple[str, ...]:
    hosts = [item.strip() for item in text.split(",")]
    for host in hosts:
        if not _is_host(host):
            raise RefusedError("" if len(hosts) == 1 else f'"{clip(host)}" is none of them')
        if hosts.count(host) > 1:
            raise RefusedError(f"{clip(host)} is there twice")
    return tuple(hosts)


HOSTS = Parser(
    allowed="IP addresses or host names, separated by commas, such as 127.0.0.1,::1; none twice", read=_read_hosts
)


def _read_path(text: str) -> str:
    if not text.isprintable() or len(text) > 4096:
        raise RefusedError
    return text


PATH = Parser(allowed="the path of a file", read=_read_path)


def _read_address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    # An IPv6 host keeps its brackets: "::1:8125" is an address without a port, too.
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if (":" in bare) != (bare != host) or not _is_host(bare):
        raise RefusedError
    if _PORT.match(port) is None or not 1 <= int(port) <= 65535:
        raise RefusedError
    return host, int(port)


ADDRESS = Parser(allowed="host:port, such as 10.0.0.1:9125 or [::1]:9125", read=_read_address)


def _read_url(text: str) -> str:
    if _VISIBLE.match(text) is None:
        raise RefusedError
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise RefusedError from None
    if "@" in parts.netloc:
        raise RefusedError("credentials do not belong in a URL")
    if parts.scheme not in {"http", "https"} or not host or not _is_host(host) or port == 0:
        raise RefusedError
    if parts.query or parts.fragment:
        raise RefusedError
    return text


URL = Parser(allowed="a URL that begins with http:// or https://, with a host", read=_read_url)


def _read_queue_url(text: str) -> str:
    _read_url(text)
    if not urlsplit(text).path.strip("/"):
        raise RefusedError("it names no queue")
    return text


QUEUE_URL = Parser(
    allowed="the URL of a queue, such as https://sqs.us-west-2.amazonaws.com/123456789012/my-queue",
    read=_read_queue_url,
)


def _read_queues(text: str) -> Mapping[str, str]:
    queues: dict[str, str] = {}
    for item in text.split(","):
        name, equals, url = (part.strip() for part in item.partition("="))
        if not equals or _NAME.match(name) is None:
            raise RefusedError(f'"{clip(mask(item))}" does not begin with an API\'s name and "="')
        if name in queues:
            raise RefusedError(f"{name} is there twice")
        try:
            queues[name] = _read_queue_url(url)
        except RefusedError:
            raise RefusedError(f'"{clip(mask(url))}" is not the URL of a queue') from None
    return MappingProxyType(queues)


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
