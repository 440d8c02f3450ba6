"""From command line, environment and cluster.yaml to the settings of the programs of a cluster. Calls no network."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Protocol, TypeVar

from dequeuer.core.errors import ConfigurationError, quoted
from dequeuer.formats.receiver_rules import InvalidReceiverError, ReceiverRules
from dequeuer.settings.access import NONE
from dequeuer.settings.controller import ControllerSettings
from dequeuer.settings.enqueuer import EnqueuerSettings
from dequeuer.settings.gateway import GatewaySettings
from dequeuer.settings.priority_queues import all_queue_urls
from dequeuer.settings.programs import USERS
from dequeuer.settings.proxy import ProxySettings
from dequeuer.settings.reader import Reader
from dequeuer.settings.sidecar import DEFAULT_CLUSTER_FILE, SHUTDOWN_GRACE_S, ApiKind, SidecarSettings
from dequeuer.settings.text_parsers import API_NAME, JOB_ID, queue_region
from dequeuer.settings.webhooks import WebhooksSettings

T = TypeVar("T")


class CheckEndpoints(Protocol):
    """See `load_gateway`."""

    def __call__(self, path: str, queues: Mapping[str, str] | None, *, urls: Mapping[str, tuple[str, int]]) -> object:
        """Raise `ConfigurationError` with every fault of the file."""


def load_sidecar(
    argv: Sequence[str],
    environ: Mapping[str, str],
    *,
    cluster_config: str = DEFAULT_CLUSTER_FILE,
    check_probes: Callable[[str, int], object] | None = None,
) -> SidecarSettings:
    """Return the settings of the sidecar.

    Args:
        argv: the flags.
        environ: the variables.
        cluster_config: a file that is read when it exists and no other is named.
        check_probes: is called with the path of the probes and the user port; the `ConfigurationError` that it raises
            is reported together with the faults of the settings.

    Raises:
        ConfigurationError: with every fault.
    """
    reader = Reader("sidecar", argv, environ)
    reader.use_file(cluster_config)
    kind: ApiKind | None = reader.values.get("api_kind")
    _check_queue_urls(reader, kind)
    reader.require(*((kind,) if kind else USERS["sidecar"]))
    _check_job(reader, kind)
    _check_async_only(reader, kind)
    _check_not_batch(reader, kind)
    _check_queue(reader, kind)
    user_port = reader.values.get("user_port")
    if user_port is not None and user_port == reader.values.get("admin_port"):
        wrong, other = f"{user_port} is the port of the container as well", reader.source("user_port")
        reader.add_fault("admin_port", wrong, "change one of them", f"any port but that of {other}")
    _check_kms_key(reader)
    # A faulty port is not a fault of the probes.
    check_file(reader, "probes_path", check_probes, user_port or 1)
    computed = {
        "queue_urls": (),
        "shutdown_grace_s": SHUTDOWN_GRACE_S[kind or "async"],
        "aws.region": queue_region(reader.values.get("queue_url", "")),
        "log.format": default_log_format(),
    }
    return reader.settings(SidecarSettings, computed)


def load_gateway(
    argv: Sequence[str],
    environ: Mapping[str, str],
    *,
    check_apis: CheckEndpoints | None = None,
    check_tokens: Callable[[str, None], object] | None = None,
) -> GatewaySettings:
    """Return the settings of the gateway.

    Args:
        argv: the flags.
        environ: the variables.
        check_apis: is called with the path of the APIs, the queues, None if those are faulty, and the addresses of
            realtime APIs, none if those are; the `ConfigurationError` that it raises is reported together with the
            faults of the settings.
        check_tokens: is called with the path of the tokens, likewise.

    Raises:
        ConfigurationError: with every fault.
    """
    reader = Reader("gateway", argv, environ)
    reader.require("gateway")
    _check_kms_key(reader)
    queues = reader.values.get("queues", MappingProxyType({}))
    is_faulty = "queues" in reader.sources and "queues" not in reader.values
    priority_queues = reader.values.get("priority_queues", MappingProxyType({}))
    for api_name in () if is_faulty else sorted(priority_queues.keys() - queues.keys()):
        wrong = f"names a priority of API {api_name}, and {reader.source('queues')} names no queue for it"
        reader.faults.append(f"{reader.source('priority_queues')}: {wrong}; allowed: APIs that are there; add it there")
    urls_of_queues = all_queue_urls(queues, priority_queues)
    regions = sorted({region for url in urls_of_queues if (region := queue_region(url))})
    if len(regions) > 1 and "aws.region" not in reader.sources:
        wrong = f"is missing, and the queues of the APIs are in {', '.join(regions)}"
        reader.add_fault("aws.region", wrong, "set it")
    port = reader.values.get("port")
    if port is not None and port == reader.values.get("admin_port"):
        wrong, other = f"{port} is the port of the gateway as well", reader.source("port")
        reader.add_fault("admin_port", wrong, "change one of them", f"any port but that of {other}")
    urls = reader.values.get("realtime_urls", MappingProxyType({}))
    check = None if check_apis is None else partial(check_apis, urls=urls)
    check_file(reader, "apis_path", check, None if is_faulty else queues)
    if reader.values.get("access.tokens") != NONE:
        check_file(reader, "access.tokens", check_tokens, None)
    if "access.rate_burst" in reader.sources and not reader.values.get("access.rate_limit"):
        reader.add_fault("access.rate_burst", "is given without DEQUEUER_RATE_LIMIT", "set that, or remove this")
    if reader.values.get("fair_queues") and reader.values.get("access.tokens", NONE) == NONE:
        wrong = f"is true, and {reader.source('access.tokens')} names no file: callers are not told apart"
        reader.add_fault("fair_queues", wrong, "name a file, or remove this")
    if urls and "apis_path" not in reader.sources:
        reader.add_fault("apis_path", "is missing, and DEQUEUER_REALTIME_URLS names APIs of that file", "set it")
    webhooks = reader.values.get("webhooks", MappingProxyType({}))
    _check_receivers(reader, webhooks)
    computed = {
        "queues": queues,
        "priority_queues": priority_queues,
        "realtime_urls": urls,
        "webhooks": webhooks,
        "webhook_rules.allowed": (),
        "aws.region": next(iter(regions), None),
        "log.format": default_log_format(),
    }
    return reader.settings(GatewaySettings, computed)


def load_proxy(
    argv: Sequence[str],
    environ: Mapping[str, str],
    *,
    check_probes: Callable[[str, int], object] | None = None,
) -> ProxySettings:
    """Return the settings of the realtime proxy. `check_probes`: see `load_sidecar`.

    Raises:
        ConfigurationError: with every fault.
    """
    reader = Reader("proxy", argv, environ)
    reader.require("proxy")
    ports: dict[object, str] = {}
    for path in ("user_port", "port", "admin_port"):
        port = reader.values.get(path)
        if port in ports:
            wrong, other = f"{port} is given twice", ports[port]
            reader.add_fault(path, wrong, "change one of them", f"any port but that of {other}")
        elif port is not None:
            ports[port] = reader.source(path)
    check_file(reader, "probes_path", check_probes, reader.values.get("user_port") or 1)
    return reader.settings(ProxySettings, {"log.format": default_log_format()})


def load_enqueuer(argv: Sequence[str], environ: Mapping[str, str]) -> EnqueuerSettings:
    """Return the settings of the enqueuer.

    Raises:
        ConfigurationError: with every fault.
    """
    reader = Reader("enqueuer", argv, environ)
    reader.require("enqueuer")
    _check_kms_key(reader)
    region = reader.values.get("region") or queue_region(reader.values.get("queue_url", ""))
    return reader.settings(EnqueuerSettings, {"aws.region": region, "log.format": default_log_format()})


def load_controller(
    argv: Sequence[str],
    environ: Mapping[str, str],
    *,
    check_apis: Callable[[str, None], object] | None = None,
) -> ControllerSettings:
    """Return the settings of the controller. `check_apis`: is called with the path of the APIs; see `load_gateway`.

    Raises:
        ConfigurationError: with every fault.
    """
    reader = Reader("controller", argv, environ)
    reader.require("controller")
    _check_kms_key(reader)
    check_file(reader, "apis_path", check_apis, None)
    return reader.settings(ControllerSettings, {"log.format": default_log_format()})


def load_webhooks(
    argv: Sequence[str],
    environ: Mapping[str, str],
    *,
    check_keys: Callable[[str, None], object] | None = None,
) -> WebhooksSettings:
    """Return the settings of `dequeuer webhooks`. `check_keys`: gets the path of the keys; see `load_gateway`.

    Raises:
        ConfigurationError: with every fault.
    """
    reader = Reader("webhooks", argv, environ)
    reader.require("webhooks")
    _check_kms_key(reader)
    check_file(reader, "keys_path", check_keys, None)
    if "keys_path" not in reader.sources and not reader.values.get("unsigned"):
        unsigned = reader.source("unsigned")
        wrong = f"is missing: nobody could verify the webhooks, and {unsigned} does not allow that"
        reader.add_fault("keys_path", wrong, f"name a file with keys, or set {unsigned} to true")
    if "keys_path" in reader.sources and reader.values.get("unsigned"):
        wrong = f"is true, and {reader.source('keys_path')} is given, too"
        reader.add_fault("unsigned", wrong, "remove one of them")
    computed = {
        "rules.allowed": (),
        "aws.region": queue_region(reader.values.get("queue_url", "")),
        "log.format": default_log_format(),
    }
    return reader.settings(WebhooksSettings, computed)


def check_file(reader: Reader, path: str, check: Callable[[str, T], object] | None, argument: T) -> None:
    """Add the faults that `check` finds in the file that an option names."""
    if check is not None and path in reader.values:
        try:
            check(reader.values[path], argument)
        except ConfigurationError as error:
            reader.faults += [f"{reader.source(path)}: {fault}" for fault in error.faults]


def _check_receivers(reader: Reader, webhooks: Mapping[str, str]) -> None:
    """Add the faults of the receivers of webhooks."""
    if webhooks and "webhook_queue_url" not in reader.sources:
        wrong = "is missing, and DEQUEUER_WEBHOOKS names receivers"
        reader.add_fault("webhook_queue_url", wrong, "name the queue that the sidecars have, too")
    allowed, allows_http = (reader.values.get(f"webhook_rules.{name}") for name in ("allowed", "allows_http"))
    rules = ReceiverRules(allowed=allowed or (), allows_http=bool(allows_http))
    for api_name, url in webhooks.items():
        try:
            rules.parse(url)
        except InvalidReceiverError as error:
            reader.faults.append(f"{reader.source('webhooks')}: the URL of {api_name} {error}")


def _check_async_only(reader: Reader, kind: ApiKind | None) -> None:
    if kind in {"async", None}:
        return
    for path in ("progress", "webhook_queue_url", "events_target", "pause_check_interval_s"):
        if reader.values.get(path):
            wrong, other = f"is for async APIs, and the kind of this API is {kind}", reader.source("api_kind")
            reader.faults.append(f"{reader.source(path)}: {wrong}; remove it, or correct {other}")


def _check_not_batch(reader: Reader, kind: ApiKind | None) -> None:
    """Add the faults of the options by which a sidecar ends by itself: that of a batch job ends with its job."""
    if kind != "batch":
        return
    for path in ("exit_when_idle_s", "max_messages"):
        if path in reader.sources:
            wrong, other = "is for async APIs and any queue", reader.source("api_kind")
            more = "the sidecar of a batch job ends when its queue is empty (DEQUEUER_EXIT_WHEN_EMPTY)"
            reader.faults.append(f"{reader.source(path)}: {wrong}: {more}; remove it, or correct {other}")


def _check_job(reader: Reader, kind: ApiKind | None) -> None:
    """Add the faults of the options that name a batch job, and of those that say where its objects are."""
    for path in ("job_id", "output", "fail_when_stopped"):
        if kind not in (None, "batch") and path in reader.sources and path in reader.values:
            wrong, other = f"is for batch APIs, and the kind of this API is {kind}", reader.source("api_kind")
            reader.faults.append(f"{reader.source(path)}: {wrong}; remove it, or correct {other}")
    given = [path for path in ("output", "worker_id") if path in reader.values]
    if kind != "batch" or not given:
        return
    if missing := [path for path in ("bucket", "cluster_uid") if path not in reader.sources]:
        for option in given:
            reader.add_fault(option, f"needs {' and '.join(map(reader.source, missing))}", "set them, or remove it")
    for path, parser in (("api_name", API_NAME), ("job_id", JOB_ID)):
        name = reader.values.get(path)
        if name is not None and re.fullmatch(parser.pattern, name) is None:
            wrong = f"{quoted(name)} cannot be part of the keys of a job, and {reader.source(given[0])} is given"
            reader.add_fault(path, wrong, "correct one of them", parser.allowed)


def _check_queue_urls(reader: Reader, kind: ApiKind | None) -> None:
    """Add the faults of several queues. The first of them stands for the only one."""
    if "queue_urls" not in reader.sources:
        return
    if "queue_url" in reader.sources:
        wrong = f"is given, and so is {reader.source('queue_url')}"
        reader.add_fault("queue_urls", wrong, "remove one of them")
    if kind == "batch":
        wrong, other = "is for async APIs and any queue: a job has one queue", reader.source("api_kind")
        reader.faults.append(f"{reader.source('queue_urls')}: {wrong}; remove it, or correct {other}")
    reader.sources.setdefault("queue_url", reader.sources["queue_urls"])
    if queues := reader.values.get("queue_urls"):
        reader.values.setdefault("queue_url", queues[0].url)


def _check_queue(reader: Reader, kind: ApiKind | None) -> None:
    """Add the faults of the options of any queue."""
    given = [path for path in reader.sources if path.startswith("queue.")]
    if kind not in (None, "queue"):
        for path in given:
            wrong, other = f"is for any queue, and the kind of this API is {kind}", reader.source("api_kind")
            reader.faults.append(f"{reader.source(path)}: {wrong}; remove it, or correct {other}")
    elif reader.values.get("queue.deletes_payloads") and not reader.values.get("queue.payload_buckets", True):
        needed = reader.source("queue.payload_buckets")
        reader.add_fault("queue.deletes_payloads", f"true, and {needed} names no bucket", "set it, or remove this")


def _check_kms_key(reader: Reader) -> None:
    sse, name = reader.values.get("aws.s3_sse"), reader.source("aws.s3_sse")
    if "aws.s3_sse_kms_key_id" in reader.values and (sse == "AES256" or "aws.s3_sse" not in reader.sources):
        wrong, allowed = f"a KMS key is given, and {name} is {sse or 'not set'}", "with aws:kms or aws:kms:dsse only"
        reader.add_fault("aws.s3_sse_kms_key_id", wrong, f"remove it, or set {name}", allowed)


def default_log_format() -> str:
    """Return the format of the log: for people in a terminal, else for programs."""
    return "console" if sys.stdout is not None and sys.stdout.isatty() else "json"
