"""Choose the AWS clients: the slim ones, or those of the SDK when only they support what is configured."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, NamedTuple, TypeAlias
from urllib.parse import urlsplit

from dequeuer.aws.partitions import domain
from dequeuer.aws.profile import profile_switches
from dequeuer.clients.base import AdminCloud
from dequeuer.core.errors import ConfigurationError, clip, mask
from dequeuer.formats.events_target import EventsTarget
from dequeuer.settings import AwsSettings
from dequeuer.settings.text_parsers import SPECIAL_BUCKETS, queue_region

ClientName: TypeAlias = Literal["slim", "sdk"]

_SWITCHES = {
    "AWS_USE_FIPS_ENDPOINT": "use_fips_endpoint",
    "AWS_USE_DUALSTACK_ENDPOINT": "use_dualstack_endpoint",
}


class Choice(NamedTuple):
    """The clients that are used. `reasons`: why `auto` chose those of the SDK."""

    client: ClientName
    reasons: tuple[str, ...] = ()


class AwsResources(NamedTuple):
    """The bucket (empty: none) and the queues that are used, and where events are published."""

    bucket: str
    queue_urls: Sequence[str]
    events: EventsTarget | None = None


def choose(settings: AwsSettings, environ: Mapping[str, str], resources: AwsResources) -> Choice:
    """Choose the clients. Reads at most one file, sends nothing.

    Raises:
        ConfigurationError: `slim` is set but only the SDK supports the configuration, or no client does.
    """
    switches = [*_switches(environ)]
    faults = [*_contradictions(settings, switches)]
    reasons: tuple[str, ...] = ()
    if settings.client != "sdk":
        reasons = (*switches, *_buckets(resources), *_paths(settings), *_proxies(settings, environ, resources))
    if settings.client == "slim":
        allowed = "allowed: auto or sdk, whose clients can do that"
        faults += [f"DEQUEUER_AWS_CLIENT: slim, and {reason}; {allowed}; change one of them" for reason in reasons]
    if faults:
        raise ConfigurationError(faults)
    return Choice("sdk", reasons) if reasons or settings.client == "sdk" else Choice("slim")


def connect(settings: AwsSettings, client: ClientName, environ: Mapping[str, str]) -> AdminCloud:
    """Create the chosen clients. Only their modules are imported: the others would cost start-up time and memory.

    Raises:
        ConfigurationError: no region is known, or an endpoint URL is invalid.
    """
    if client == "sdk":
        from dequeuer.clients.sdk import Aws  # noqa: PLC0415 - see above

        return Aws(settings)
    from dequeuer.clients.slim import SlimAws  # noqa: PLC0415 - see above

    return SlimAws(settings, environ)


def _switches(environ: Mapping[str, str]) -> Iterator[str]:
    in_profile: Mapping[str, str] | None = None
    for name, option in _SWITCHES.items():
        if name in environ:
            if environ[name].lower() == "true":
                yield f"{name} is set"
            continue
        if in_profile is None:
            in_profile = profile_switches(environ, _SWITCHES.values())
        if in_profile.get(option, "").lower() == "true":
            yield f"{option} is set in the AWS configuration file"


def _contradictions(settings: AwsSettings, switches: Sequence[str]) -> Iterator[str]:
    """Yield a fault for each custom endpoint together with FIPS or dual-stack: with both, the SDK refuses each call."""
    for name, url in _endpoints(settings):
        for switch in switches:
            yield f"{name}: {clip(mask(url))} is given, and {switch}; allowed: one of them; remove the other"


def _buckets(resources: AwsResources) -> Iterator[str]:
    bucket = resources.bucket
    if bucket.startswith("arn:"):
        yield f"DEQUEUER_BUCKET is the ARN of an access point: {clip(bucket)}"
    for ending, what in SPECIAL_BUCKETS.items():
        if bucket.endswith(ending):
            yield f"DEQUEUER_BUCKET is {what}: {clip(bucket)}"


def _paths(settings: AwsSettings) -> Iterator[str]:
    for name, url in _endpoints(settings):
        if urlsplit(url).path not in ("", "/"):
            yield f"{name} has a path: {clip(mask(url))}"


def _endpoints(settings: AwsSettings) -> Iterator[tuple[str, str]]:
    named = {
        "AWS_ENDPOINT_URL": settings.endpoint_url,
        "AWS_ENDPOINT_URL_SQS": settings.endpoint_url_sqs,
        "AWS_ENDPOINT_URL_S3": settings.endpoint_url_s3,
        "AWS_ENDPOINT_URL_SNS": settings.endpoint_url_sns,
        "AWS_ENDPOINT_URL_EVENTBRIDGE": settings.endpoint_url_event_bridge,
    }
    if settings.endpoint_url_sqs and settings.endpoint_url_s3:
        del named["AWS_ENDPOINT_URL"]  # not used when both others are set
    yield from ((name, url) for name, url in named.items() if url)


def _proxies(settings: AwsSettings, environ: Mapping[str, str], resources: AwsResources) -> Iterator[str]:
    # As in the SDK, which uses urllib: the lower-case variable wins when it is set, even when it is empty.
    found = {
        scheme: name
        for scheme in ("http", "https")
        for name in [f"{scheme}_proxy" if f"{scheme}_proxy" in environ else f"{scheme}_proxy".upper()]
        if environ.get(name)
    }
    if not found:
        return
    from urllib import request  # noqa: PLC0415 - large, and needed only with a proxy

    none = {"no": environ["no_proxy"] if "no_proxy" in environ else environ.get("NO_PROXY", "")}
    used = {
        found[parts.scheme]: parts.hostname
        for parts in map(urlsplit, _urls(settings, environ, resources))
        if parts.scheme in found and not request.proxy_bypass_environment(parts.netloc, none)  # type: ignore[attr-defined]  # typeshed has no
    }
    yield from (f"{name} is set and applies to {clip(str(host))}" for name, host in used.items())


def _urls(settings: AwsSettings, environ: Mapping[str, str], resources: AwsResources) -> Iterator[str]:
    """Yield a URL of each server that requests are sent to."""
    own = settings.region or "us-east-1"
    if settings.sqs_endpoint:
        yield settings.sqs_endpoint
    else:
        regions = {queue_region(url) or own for url in resources.queue_urls} or {own}
        yield from (f"https://sqs.{region}.{domain(region)}" for region in sorted(regions))
    if resources.bucket:
        yield settings.s3_endpoint or f"https://s3.{own}.{domain(own)}"
    events = resources.events
    if events is not None and events.region:
        given = settings.sns_endpoint if events.service == "sns" else settings.event_bridge_endpoint
        yield given or f"https://{events.service}.{events.region}.{domain(events.region)}"
    if environ.get("AWS_WEB_IDENTITY_TOKEN_FILE"):
        yield environ.get("AWS_ENDPOINT_URL_STS") or f"https://sts.{own}.{domain(own)}"
