"""The policies of the programs that work for an API, from the settings of `dequeuer provision`."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Final

from dequeuer.core.errors import ConfigurationError, quoted
from dequeuer.policies import patterns
from dequeuer.policies.all_needs import needs
from dequeuer.policies.arns import account_of_queue
from dequeuer.policies.document import Document, Grant, policy_document
from dequeuer.policies.filling import Names, filled
from dequeuer.policies.needs import CASES_OF_EVENTS, Case, Need, Program
from dequeuer.settings.provision import ProvisionSettings
from dequeuer.settings.sidecar import ApiKind
from dequeuer.sinks.layout import output_keys

PROGRAMS: Final[Mapping[ApiKind, Sequence[Program]]] = {
    "async": ("async", "gateway", "webhooks", "provision"),
    "batch": ("batch", "enqueuer", "controller", "gateway", "provision"),
    "queue": ("queue", "provision"),
}
"""The programs that work for each kind."""
_JOB_QUEUES: Final = "cx_*"
_OF_REQUESTS: Final = frozenset({patterns.QUEUE, patterns.ALL_REQUESTS})
"""What a gateway of jobs alone does not need."""
ANY: Final = "*"


def grants(settings: ProvisionSettings, program: Program) -> Sequence[Grant]:
    """Return what a program may do."""
    names = _names(settings, program)
    return filled(_needs(settings, program), names)


def policies(settings: ProvisionSettings, wanted: str | None = None) -> Mapping[Program, Document]:
    """Return the policy of each program that works for the API; `wanted`: of one of them alone.

    Raises:
        ConfigurationError: no such program works for an API of this kind.
    """
    programs = _programs(settings)
    if wanted is not None:
        chosen = [program for program in programs if program == wanted]
        if not chosen:
            allowed = ", ".join(programs)
            known = PROGRAMS[settings.api_kind]
            # Of an async API only webhooks depend on an option.
            todo = "; for webhooks set --webhook-queue" if wanted == "webhooks" and wanted in known else ""
            raise ConfigurationError([f"policies {quoted(wanted)}: no program of this API; allowed: {allowed}{todo}"])
        programs = chosen
    return {program: policy_document(grants(settings, program)) for program in programs}


def policies_text(settings: ProvisionSettings, wanted: str | None = None) -> str:
    """Return the policy of one program, as JSON; without `wanted` those of all, by program. Raises like `policies`."""
    documents = policies(settings, wanted)
    return json.dumps(documents if wanted is None else next(iter(documents.values())), indent=2) + "\n"


def _programs(settings: ProvisionSettings) -> Sequence[Program]:
    return [one for one in PROGRAMS[settings.api_kind] if one != "webhooks" or settings.webhook_queue]


def _needs(settings: ProvisionSettings, program: Program) -> Sequence[Need]:
    found = needs(program, _cases(settings))
    if program == "gateway" and settings.api_kind == "batch":
        return [need for need in found if need.resource not in _OF_REQUESTS]
    return found


def _cases(settings: ProvisionSettings) -> Collection[Case]:
    is_batch, events = settings.api_kind == "batch", settings.events_target
    chosen: Mapping[Case, bool] = {
        "own_key": bool(_keys(settings)),
        "expiry": bool(settings.result_retention_days) and settings.api_kind != "queue",
        "redrive": bool(settings.dead_letter_name),
        "webhooks": bool(settings.webhook_queue),
        "payloads": bool(settings.payload_buckets),
        "payload_deletion": bool(settings.payload_buckets) and settings.deletes_payloads,
        "job_objects": is_batch,
        "results": settings.queue_results is not None or settings.output is not None,
        "files": bool(settings.file_buckets),
        "jobs": is_batch,
        "dead_letters": not is_batch and bool(settings.dead_letter_name),
        "queues": bool(settings.queue_name or settings.dead_letter_name or settings.webhook_queue),
        "buckets": bool(settings.bucket_name),
        "tls_only": settings.tls_only,
        **({CASES_OF_EVENTS[events.service]: True} if events is not None else {}),
    }
    return {case for case, is_chosen in chosen.items() if is_chosen}


def _names(settings: ProvisionSettings, program: Program) -> Names:
    region = settings.aws.region or ANY
    account = account_of_queue(settings.queue) if "://" in settings.queue else ANY
    if account == ANY:
        account = settings.aws.s3_bucket_owner or ANY

    def queue(name: str) -> list[str]:
        return [f"https://sqs/{account}/{name}"] if name else []

    queues = queue(settings.queue_name or _JOB_QUEUES)
    if program == "webhooks":
        queues = queue(settings.webhook_queue_name)
    if program == "provision":
        queues = queue(settings.queue_name) + queue(settings.dead_letter_name) + queue(settings.webhook_queue_name)
    results, output, events = settings.queue_results, settings.output, settings.events_target
    prefix = None
    if results is not None:
        prefix = results.key
    elif output is not None:
        prefix = output_keys(output.key, "").prefix.removesuffix("/")
    return Names(
        region=region,
        account=account,
        queue_urls=queues,
        dead_letter_urls=queue(settings.dead_letter_name),
        webhook_queue_url=next(iter(queue(settings.webhook_queue_name)), ""),
        events=events.address if events else "",
        bucket=settings.bucket_name,
        cluster_uid=settings.cluster_uid,
        api_name=settings.api_name,
        prefix=prefix,
        output=[output.bucket] if output else (),
        files=settings.file_buckets,
        payloads=settings.payload_buckets,
        keys=_keys(settings),
    )


def _keys(settings: ProvisionSettings) -> Sequence[str]:
    """Return the keys of queues and bucket, and the one with which programs ask for objects to be encrypted."""
    return list(dict.fromkeys(key for key in (settings.kms_key, settings.aws.s3_sse_kms_key_id) if key))
