"""Parsers of text: names, files, hosts, addresses and URLs; and the region that a queue's URL names."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from types import MappingProxyType
from typing import TypeVar
from urllib.parse import urlsplit

from dequeuer.core.errors import clip, quoted
from dequeuer.formats.api_name import API_NAME_PATTERN
from dequeuer.formats.events_target import EventsTarget, target_of_arn
from dequeuer.jobs import names
from dequeuer.jobs.s3_path import OUTPUT_PATH, InvalidS3PathError, S3Path, parse_s3_path
from dequeuer.settings.parsers import PORT, InvalidValueError, Parser, listed, matching

T = TypeVar("T")


def _s3_path(match: re.Match[str]) -> S3Path | None:
    try:
        return parse_s3_path(match[0])
    except InvalidS3PathError:
        return None


NAME = matching(API_NAME_PATTERN, 'a letter or digit, then up to 127 of letters, digits, ".", "_" and "-"')
VERSION = matching(names.VERSION, 'a letter or digit, then up to 63 of letters, digits, ".", "_" and "-"')
API_NAME = matching(names.API_NAME, 'a-z, 0-9 and "-", at most 42, a letter first, no "-" at the end')
JOB_ID = matching(names.JOB_ID, 'a-z, 0-9 and "-", at most 63, no "-" at either end')
REGION = matching("[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", "the name of an AWS region, such as us-west-2")
# Not two dots in a row, and not the form of an IPv4 address: S3 has no such bucket.
_BUCKET_NAME = r"(?!.*\.\.|[0-9]+(?:\.[0-9]+){3}\Z)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"
BUCKET_NAME = matching(_BUCKET_NAME, 'a bucket name (3 to 63 of a-z, 0-9, "." and "-")')
BUCKET = matching(
    rf"{_BUCKET_NAME}|"
    r"arn:aws[a-z-]*:s3[a-z-]*:[a-z0-9-]+:[0-9]{12}:"
    r"(?:outpost[/:][a-z0-9-]{1,64}[/:])?accesspoint[/:][A-Za-z0-9._-]{1,128}",
    'a bucket name (3 to 63 of a-z, 0-9, "." and "-") or the ARN of an access point',
)
SPECIAL_BUCKETS = {
    "--x-s3": "a directory bucket",
    "--xa-s3": "an access point of a directory bucket",
    "--ol-s3": "an Object Lambda access point",
    "--op-s3": "an access point of S3 on Outposts",
}
"""What a name is the name of, by its end: each of these has endpoints of its own."""
POD_NAME = matching(
    "[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?", 'a-z, 0-9, "-" and ".", at most 253, a letter or digit at both ends'
)
ACCOUNT = matching("[0-9]{12}", "the id of an AWS account, 12 digits")
KMS_KEY = matching(
    "(?:arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:(?:key|alias)/)?[A-Za-z0-9][A-Za-z0-9/_-]{0,255}",
    "the id, the alias (alias/my-key) or the ARN of a KMS key",
)
S3_PATH = Parser("s3://bucket, or s3://bucket/prefix, the bucket by its name", _s3_path, OUTPUT_PATH)
PATH = Parser("the path of a file", lambda match: match[0] if match[0].isprintable() else None, "(?s:.{0,4096})")

_REGION = "([a-z]+(?:-[a-z]+)+-[0-9]+)"
_QUEUE_HOST = rf"(?:.*\.)?sqs(?:-fips)?\.{_REGION}\.|{_REGION}\.queue\.amazonaws\.com(?:\.cn)?\Z"


def _host(match: re.Match[str]) -> str:
    host = match[0]
    if ":" in host or not host.strip("0123456789."):
        ipaddress.ip_address(host)
    return host


def _address(match: re.Match[str]) -> tuple[str, int]:
    HOST.read(match[1].removeprefix("[").removesuffix("]"))
    return match[1], PORT.read(match[2])


def _url(match: re.Match[str]) -> str | None:
    parts = urlsplit(match[0])
    host, port = parts.hostname or "", parts.port
    if "@" in parts.netloc:
        raise InvalidValueError("credentials do not belong in a URL")
    HOST.read(host)
    is_plain = parts.scheme in {"http", "https"} and port != 0 and not parts.query and not parts.fragment
    return match[0] if is_plain else None


def _queue_url(match: re.Match[str]) -> str:
    url = URL.read(match[0])
    if not urlsplit(url).path.strip("/"):
        raise InvalidValueError("it names no queue")
    return url


def _standard_queue_url(match: re.Match[str]) -> str:
    url = QUEUE_URL.read(match[0])
    if url.endswith(".fifo"):
        raise InvalidValueError("it is a FIFO queue, and the messages are not ordered")
    return url


def _distinct(names: Sequence[str]) -> tuple[str, ...]:
    for name, count in Counter(names).items():
        if count > 1:
            raise InvalidValueError(f"{clip(name)} is there twice")
    return tuple(names)


def _by_name(read: Callable[[str], T], allowed: str) -> Parser[Mapping[str, T]]:
    """Return a parser of `name=value` for several APIs. `read`: of a value; `allowed`: of one of them."""

    def convert(match: re.Match[str]) -> tuple[str, T]:
        named = re.fullmatch(rf"({NAME.pattern})\s*=\s*(.*)", match[0], re.DOTALL)
        if named is None:
            raise InvalidValueError(f'{quoted(match[0])} does not begin with an API\'s name and "="')
        return named[1], read(named[2])

    def collect(named: Sequence[tuple[str, T]]) -> Mapping[str, T]:
        _distinct([name for name, _ in named])
        return MappingProxyType(dict(named))

    return listed(Parser(allowed, convert), collect, f"{allowed}, separated by commas; no name twice")


def queue_of_api(text: str) -> str:
    """Return the URL of a queue. Raises `InvalidValueError`, whose text has the URL alone."""
    try:
        return QUEUE_URL.read(text)
    except InvalidValueError:
        raise InvalidValueError(f"{quoted(text)} is not the URL of a queue") from None


def _address_of_api(text: str) -> tuple[str, int]:
    try:
        url = urlsplit(URL.read(text))
    except InvalidValueError:
        raise InvalidValueError(f"{quoted(text)} is not http://host:port") from None
    if url.scheme != "http" or url.path.strip("/"):
        raise InvalidValueError(f"{quoted(text)} is not http://host:port, without a path")
    return url.hostname or "", url.port or 80


HOST = Parser(
    "an IP address or a host name, such as 127.0.0.1 or ::1",
    _host,
    r"(?!.*\.\.)[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9_.])?|.*:.*",
)
HOSTS = listed(HOST, _distinct, "IP addresses or host names, separated by commas, such as 127.0.0.1,::1; none twice")
# An IPv6 host keeps its brackets: "::1:8125" is an address without a port, too.
ADDRESS = Parser("host:port, such as 10.0.0.1:9125 or [::1]:9125", _address, r"(\[.*:.*\]|[^:\[\]]*):(.*)")
# Visible ASCII only: urlsplit() removes tabs and newlines silently.
URL = Parser("a URL that begins with http:// or https://, with a host", _url, "[!-~]{1,2048}")
QUEUE_URL = Parser("the URL of a queue, such as https://sqs.us-west-2.amazonaws.com/123456789012/my-queue", _queue_url)
STANDARD_QUEUE_URL = Parser(
    "the URL of a standard queue, such as https://sqs.us-west-2.amazonaws.com/123456789012/webhooks",
    _standard_queue_url,
)


def _events_target(match: re.Match[str]) -> EventsTarget:
    if not match[0].startswith("arn:"):
        return EventsTarget(service="sqs", address=STANDARD_QUEUE_URL.read(match[0]))
    target = target_of_arn(match[0])
    if target is None:
        raise InvalidValueError("the ARN is not that of a standard topic or of an event bus")
    return target


EVENTS_TARGET = Parser(
    "the URL of a standard queue of SQS, or the ARN of a standard topic of SNS "
    "(arn:aws:sns:us-west-2:123456789012:my-topic) or of a bus of EventBridge "
    "(arn:aws:events:us-west-2:123456789012:event-bus/my-bus)",
    _events_target,
)
QUEUES = _by_name(queue_of_api, "name=URL of its queue for each API")
_NETWORK: Parser[IPv4Network | IPv6Network] = Parser(
    "a network such as 10.1.0.0/16", lambda match: ip_network(match[0])
)
NETWORKS = listed(
    _NETWORK,
    tuple,
    "networks such as 10.1.0.0/16 or fd00::/8, separated by commas",
)
WEBHOOKS = _by_name(str, "name=URL of the receiver for each API")
API_URLS = _by_name(_address_of_api, "name=http://host:port of each API")


def queue_region(url: str) -> str | None:
    """Return the region that the host of a queue's URL names, if it names one."""
    host = urlsplit(url).hostname or ""
    if host == "queue.amazonaws.com":
        return "us-east-1"  # the first region had no name in its host
    match = re.match(_QUEUE_HOST, host)
    return match and (match[1] or match[2])
