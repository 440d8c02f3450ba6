"""The settings of `dequeuer provision`, and the rules between them. Calls no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from dequeuer.core.queue_names import queue_name
from dequeuer.settings.provision import NO_QUEUE, ProvisionSettings
from dequeuer.settings.reader import Reader
from dequeuer.settings.sidecar import ApiKind
from dequeuer.settings.text_parsers import SPECIAL_BUCKETS, queue_region

_MAX_NAME_CHARS: Final = 80
_DAY_S: Final = 86_400
_OF_KIND: Final[Mapping[str, tuple[ApiKind, ...]]] = {
    "queue": ("async", "queue"),
    "bucket": ("async", "batch"),
    "webhook_queue": ("async",),
    "events_target": ("async",),
    "output": ("batch",),
    "file_buckets": ("batch",),
    "queue_results": ("queue",),
    "payload_buckets": ("queue",),
    "deletes_payloads": ("queue",),
}
"""The kinds that an option is for."""
_REQUIRED: Final[Mapping[ApiKind, tuple[str, ...]]] = {
    "async": ("queue", "bucket", "cluster_uid"),
    "batch": ("bucket", "cluster_uid"),
    "queue": ("queue",),
}


def load_provision(argv: Sequence[str], environ: Mapping[str, str], *, needs_region: bool = True) -> ProvisionSettings:
    """Return the settings of `dequeuer provision`. `needs_region`: false for text that names none.

    Raises:
        ConfigurationError: with every fault.
    """
    reader = Reader("provision", argv, environ)
    reader.require("provision")
    _check_kind(reader, reader.values.get("api_kind"))
    _check_buckets(reader)
    _check_retention(reader)
    for path in ("is_dry_run", "may_change"):
        if reader.values.get(path) and reader.values.get("format", "plan") != "plan":
            wrong = f"is for the format plan: {reader.source('format')} prints text and asks AWS nothing"
            reader.add_fault(path, wrong, "remove one of them")
    is_known = "aws.region" in reader.sources or queue_region(reader.values.get("queue", ""))
    if needs_region and reader.values.get("format") == "plan" and not is_known:
        reader.add_fault("aws.region", "is missing, and no URL of a queue names a region", "set it")
    _check_regions(reader)
    _check_receives(reader)
    if not reader.faults:
        _check_names(reader, _built(reader))
    return _built(reader)


def _built(reader: Reader) -> ProvisionSettings:
    computed: dict[str, object] = {
        **dict.fromkeys(("cluster_uid", "queue", "bucket", "webhook_queue"), ""),
        "tags": MappingProxyType({}),
        "aws.region": queue_region(reader.values.get("queue", "")),
    }
    return reader.settings(ProvisionSettings, computed)


def _check_kind(reader: Reader, kind: ApiKind | None) -> None:
    """Add the faults of options that belong to another kind, and of those that this kind needs."""
    if kind is None:
        return
    for path, kinds in _OF_KIND.items():
        if path in reader.sources and kind not in kinds:
            wrong = f"is for {' and '.join(kinds)}, and {reader.source('api_kind')} is {kind}"
            reader.add_fault(path, wrong, "remove it, or correct the kind")
    for path in _REQUIRED[kind]:
        if path not in reader.sources:
            reader.add_fault(path, f"is missing, and {reader.source('api_kind')} is {kind}", "set it")


def _check_buckets(reader: Reader) -> None:
    for path in ("bucket", "queue_results"):
        value = reader.values.get(path)
        name = value if isinstance(value, str) else getattr(value, "bucket", "")
        what = next((what for ending, what in SPECIAL_BUCKETS.items() if name.endswith(ending)), "")
        if what:
            wrong = f"{name} is the name of {what}, which is not created here"
            reader.add_fault(path, wrong, "create it by other means, or name another bucket")


def _check_retention(reader: Reader) -> None:
    days, kept_s = reader.values.get("result_retention_days"), reader.values.get("retention_s")
    if days and kept_s and reader.values.get("api_kind") == "async" and days * _DAY_S < kept_s:
        wrong = (
            f"{kept_s} s, and {reader.source('result_retention_days')} is {days} days: the bucket would delete "
            "requests that still wait in the queue"
        )
        reader.add_fault("retention_s", wrong, "change one of them", f"at most {days * _DAY_S} s")


def _check_receives(reader: Reader) -> None:
    """Add the fault of a queue that moves requests away before the sidecar can fail them."""
    receives, attempts = reader.values.get("max_receives"), reader.values.get("max_attempts")
    if reader.values.get("api_kind") != "async" or reader.values.get("dead_letters") == NO_QUEUE:
        return
    if receives and attempts and receives <= attempts:
        wrong = (
            f"{receives}, and {reader.source('max_attempts')} is {attempts}: requests would move to the dead-letter "
            "queue before the sidecar fails them, and keep their status"
        )
        reader.add_fault("max_receives", wrong, "change one of them", f"best {attempts + 5} or more")


def _check_regions(reader: Reader) -> None:
    """Add the fault of a queue of another region: queues and bucket are created in one."""
    given = reader.values.get("aws.region") if "aws.region" in reader.sources else None
    region = given or queue_region(reader.values.get("queue", ""))
    for path in ("queue", "webhook_queue"):
        of_url = queue_region(reader.values.get(path, ""))
        if of_url and region and of_url != region:
            wrong = f"is in {of_url}, and all is created in {region}"
            reader.add_fault(path, wrong, "correct the URL or AWS_REGION, or give the name of the queue")


def _check_names(reader: Reader, settings: ProvisionSettings) -> None:
    """Add the faults of names that do not fit each other."""
    queue, dead_letters = settings.queue_name, settings.dead_letter_name
    if len(queue) > _MAX_NAME_CHARS:
        reader.add_fault("queue", f"its name, {queue}, is longer than {_MAX_NAME_CHARS}", "name another queue")
    if len(dead_letters) > _MAX_NAME_CHARS or "." in dead_letters.removesuffix(".fifo"):
        wrong = f"is missing, and SQS allows no queue of the name {dead_letters}"
        reader.add_fault("dead_letters", wrong, "name the dead-letter queue")
    is_fifo = queue.endswith(".fifo") or settings.api_kind == "batch"
    if dead_letters and is_fifo != dead_letters.endswith(".fifo"):
        wrong = f"{dead_letters}: the dead-letter queue of a {'FIFO' if is_fifo else 'standard'} queue is one, too"
        reader.add_fault("dead_letters", wrong, "correct the name", f"{NO_QUEUE}, or the name of such a queue")
    if dead_letters and dead_letters in (queue, settings.webhook_queue_name):
        reader.add_fault("dead_letters", f"{dead_letters} is another queue of these settings", "name another queue")
    webhooks = settings.webhook_queue_name
    if webhooks.endswith(".fifo"):
        reader.add_fault("webhook_queue", f"{webhooks} is a FIFO queue", "name a standard queue", "a standard queue")
    if webhooks and webhooks == queue_name(queue):
        reader.add_fault("webhook_queue", f"{webhooks} is the queue of the API, too", "name another queue")
