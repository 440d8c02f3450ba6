"""The network: proxies, names, connections to the endpoints of AWS, and the clock, compared with theirs."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

from dequeuer.aws.credentials.base import CredentialsUrl, fetch
from dequeuer.aws.credentials.web_identity import sts_url
from dequeuer.aws.endpoint import origin_of
from dequeuer.aws.partitions import domain
from dequeuer.check.aws_access import AwsAccess
from dequeuer.check.finding import CheckId, Finding, Verdict, all_unknown, fault, not_known, ok, warning
from dequeuer.check.plan import Plan
from dequeuer.core import clock
from dequeuer.core.errors import ConfigurationError, clip, mask
from dequeuer.http.errors import HttpTransportError
from dequeuer.http.origin import Origin
from dequeuer.settings.text_parsers import queue_region

TIMEOUT_S: Final = 5.0
"""For the look-up of a name, and again for a connection with one response."""
SLOW_NAME_S: Final = 1.0
SKEW_WARNING_S: Final = 60.0
"""Below it the whole seconds of `Date` and the way of a request explain the difference."""
SKEW_FAULT_S: Final = 300.0
"""AWS refuses signatures whose time differs by more."""
_PER_SERVER: Final[Sequence[CheckId]] = ("network.connection", "network.clock")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that requests are sent to. `services`: in words."""

    services: str
    origin: Origin


def servers_of(plan: Plan, access: AwsAccess, environ: Mapping[str, str]) -> list[Server]:
    """Return the servers of SQS, S3 and STS, each once."""
    settings, region, tls = access.settings, access.region, access.slim.tls if access.slim is not None else None
    urls = [("SQS", settings.sqs_endpoint or _url("sqs", queue_region(queue.url) or region)) for queue in plan.queues]
    if plan.program == "controller":
        urls.append(("SQS", settings.sqs_endpoint or _url("sqs", region)))
    urls += [("S3", settings.s3_endpoint or _url("s3", region)) for _ in plan.buckets]
    if environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
        urls.append(("STS", sts_url(environ, region)))
    services: dict[Origin, list[str]] = {}
    for service, url in urls:
        services.setdefault(_origin(url, tls), []).append(service)
    return [Server(services=" and ".join(dict.fromkeys(names)), origin=origin) for origin, names in services.items()]


def _url(service: str, region: str) -> str:
    return f"https://{service}.{region}.{domain(region)}"


def _origin(url: str, tls: ssl.SSLContext | None) -> Origin:
    try:
        return origin_of(url, tls or ssl.create_default_context())
    except ConfigurationError:  # a URL with a path, for the SDK's clients
        parts = urlsplit(url)
        return Origin(host=parts.hostname or "", port=parts.port or 443, tls=tls)


async def check_network(plan: Plan, access: AwsAccess, environ: Mapping[str, str]) -> list[Finding]:
    """Return the findings about proxies and about each server."""
    found = [Finding(id="network.proxy", subject="", verdict=judge_proxies(access, environ))]
    is_through_proxy = "applies to" in access.sdk_because
    servers = servers_of(plan, access, environ)
    if is_through_proxy:
        for server in servers:
            reason = "requests go through a proxy, which looks up the name"
            found += all_unknown(("network.dns", *_PER_SERVER), server.origin.authority, reason)
        return found
    for findings in await asyncio.gather(*map(_check_server, servers)):
        found += findings
    return found


def judge_proxies(access: AwsAccess, environ: Mapping[str, str]) -> Verdict:
    """Return whether requests go through a proxy."""
    names = [name for name in ("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY") if environ.get(name)]
    if not names:
        return ok("none is set")
    given = ", ".join(f"{name} is {clip(mask(environ[name]))}" for name in names)
    if "applies to" not in access.sdk_because:
        return ok(f"{given}; it applies to none of the servers")
    return warning(
        f"{given}: {clip(access.sdk_because)}",
        "the SDK's clients are used, which cost more CPU and memory; if AWS can be reached without the proxy, name its "
        "hosts in NO_PROXY",
    )


async def _check_server(server: Server) -> list[Finding]:
    origin = server.origin
    name = await _look_up(origin)
    found = [Finding(id="network.dns", subject=origin.authority, verdict=name)]
    if name.state == "fault":
        return [*found, *all_unknown(_PER_SERVER, origin.authority, "its name has no address")]
    started = clock.monotonic()
    try:
        reply = await fetch(CredentialsUrl(origin, "/"), "GET", timeout_s=TIMEOUT_S)
    except HttpTransportError as error:
        action = (
            f"{server.services} must be reachable from here: look at routes, security groups, network policies, VPC "
            "endpoints, AWS_ENDPOINT_URL and AWS_CA_BUNDLE"
        )
        refused = fault(clip(str(error)), action)
        found.append(Finding(id="network.connection", subject=origin.authority, verdict=refused))
        return [*found, *all_unknown(("network.clock",), origin.authority, "there was no response")]
    took_s = clock.monotonic() - started
    how = "over TLS" if origin.tls is not None else "without TLS"
    answered = ok(f"{server.services}: a response {how} after {1000 * took_s:.0f} ms")
    found.append(Finding(id="network.connection", subject=origin.authority, verdict=answered))
    skew = judge_clock(reply.field("date") or "", clock.wall())
    return [*found, Finding(id="network.clock", subject=origin.authority, verdict=skew)]


async def _look_up(origin: Origin) -> Verdict:
    loop = asyncio.get_running_loop()
    started = clock.monotonic()
    try:
        async with asyncio.timeout(TIMEOUT_S):
            found = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError, TimeoutError) as error:
        text = clip(str(error)) or f"no response within {TIMEOUT_S:g} s"
        return fault(text, "look at the DNS of the pod (dnsPolicy, CoreDNS), at AWS_REGION and at AWS_ENDPOINT_URL")
    return judge_addresses([family for family, *_ in found], clock.monotonic() - started)


def judge_addresses(families: Sequence[int], took_s: float) -> Verdict:
    """Return whether a name was found soon. `took_s`: seconds."""
    v4, v6 = families.count(socket.AF_INET), families.count(socket.AF_INET6)
    text = f"{v4} of IPv4 and {v6} of IPv6 after {1000 * took_s:.0f} ms"
    if took_s <= SLOW_NAME_S:
        return ok(text)
    return warning(text, "each new connection waits that long: look at the DNS of the pod (ndots, node-local cache)")


def judge_clock(date: str, now_s: float) -> Verdict:
    """Return how far this clock is from that of a server. `date`: its header field; `now_s`: since the epoch."""
    try:
        skew_s = now_s - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return not_known("the response has no Date")
    text = f"this clock is {abs(skew_s):.0f} s {'ahead' if skew_s > 0 else 'behind'}"
    if abs(skew_s) < SKEW_WARNING_S:
        return ok(text)
    action = "correct the clock of the node (chrony, the Amazon Time Sync Service)"
    if abs(skew_s) < SKEW_FAULT_S:
        return warning(text, action)
    return fault(f"{text}; AWS refuses signatures from {SKEW_FAULT_S:.0f} s on, which costs each start a call", action)
