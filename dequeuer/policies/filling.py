"""Real names in place of those in angle brackets: the ARNs of one deployment."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from dequeuer.aws.partitions import partition
from dequeuer.policies import patterns
from dequeuer.policies.arns import bucket_arn, objects_arn, queue_arn
from dequeuer.policies.document import Grant
from dequeuer.policies.needs import Need
from dequeuer.settings.text_parsers import queue_region

_SQS: Final = re.compile(r"arn:aws:sqs:\*:\*:<([a-z-]+)>")
_S3: Final = re.compile(r"arn:aws:s3:::<([a-z-]+)>(?:/(.*))?")
_NAME: Final = re.compile(r"<([a-z-]+)>(/(?=\*))?")
Given = TypeVar("Given", str, Sequence[str])
_WILDCARDS: Final = {"*": "${*}", "?": "${?}", "$": "${$}"}


class UnnamedError(Exception):
    """A need is about something that has no name here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names of one deployment. What is not used is left empty.

    Attributes:
        region: of queues whose URL names none, of keys and of the partition.
        account: 12 digits; `*`: any.
        queue_urls: those that are read or written.
        dead_letter_urls: their dead-letter queues.
        webhook_queue_url: `DEQUEUER_WEBHOOK_QUEUE`.
        events: `DEQUEUER_EVENTS_TARGET`: the URL of a queue, or the ARN of a topic or a bus.
        bucket: of requests and jobs; of any queue, that of the results.
        cluster_uid: first part of the keys.
        api_name: of an async API.
        prefix: keys of results begin with it, of any queue or of jobs with output; with its slash.
        output: buckets of the output of jobs.
        files: buckets of the files of jobs.
        payloads: `DEQUEUER_QUEUE_PAYLOAD_BUCKETS`.
        keys: id, ARN, alias or ARN of an alias of each KMS key.
    """

    region: str
    account: str = "*"
    queue_urls: Sequence[str] = ()
    dead_letter_urls: Sequence[str] = ()
    webhook_queue_url: str = ""
    events: str = ""
    bucket: str = ""
    cluster_uid: str = ""
    api_name: str = ""
    prefix: str | None = None
    output: Sequence[str] = ()
    files: Sequence[str] = ()
    payloads: Sequence[str] = ()
    keys: Sequence[str] = ()


def filled(needs: Iterable[Need], names: Names) -> Sequence[Grant]:
    """Return the grants that needs come to with these names.

    Raises:
        UnnamedError: a need is about something that `names` leaves empty.
    """
    return [grant for need in needs for grant in _grants(need, names)]


def _grants(need: Need, names: Names) -> Iterable[Grant]:
    if need.resource == patterns.KEY:
        return [_on_key(need.action, key, names) for key in _present("key", names.keys)]
    return [Grant(need.action, resource) for resource in _resources(need.resource, names)]


def _resources(pattern: str, names: Names) -> Sequence[str]:
    if pattern == patterns.JOB_QUEUES:
        return [f"arn:{partition(names.region)}:sqs:{names.region}:{names.account}:{pattern.rpartition(':')[2]}"]
    if pattern in (patterns.TOPIC, patterns.BUS):
        return [_present(pattern, names.events)]
    if queue := _SQS.fullmatch(pattern):
        urls: Mapping[str, Sequence[str]] = {
            "queue": names.queue_urls,
            "dead-letters": names.dead_letter_urls,
            "webhooks": [names.webhook_queue_url] if names.webhook_queue_url else (),
            "events": [names.events] if names.events else (),
        }
        return [queue_arn(url, queue_region(url) or names.region) for url in _present(queue[1], urls[queue[1]])]
    objects = _S3.fullmatch(pattern)
    if objects is None:
        raise UnnamedError(f"{pattern}: not a pattern of dequeuer/policies/patterns.py")
    buckets: Mapping[str, Sequence[str]] = {
        "bucket": [names.bucket] if names.bucket else (),
        "files": names.files,
        "output": names.output,
        "payloads": names.payloads,
    }
    key = objects[2]
    return [
        bucket_arn(bucket, names.region) if key is None else f"{objects_arn(bucket, names.region)}/{_key(key, names)}"
        for bucket in _present(objects[1], buckets[objects[1]])
    ]


def _key(pattern: str, names: Names) -> str:
    def name(match: re.Match[str]) -> str:
        if match[1] == "prefix":
            if names.prefix is None:
                raise UnnamedError("prefix: this policy is about results, and no place of results is given")
            return "".join(_WILDCARDS.get(char, char) for char in names.prefix)
        given = {"cluster-uid": names.cluster_uid, "api": names.api_name}
        return _present(match[1], given[match[1]]) + (match[2] or "")

    return _NAME.sub(name, pattern)


def _present(name: str, value: Given) -> Given:
    if not value:
        raise UnnamedError(f"{name}: this policy is about it, and it is not given")
    return value


def _on_key(action: str, key: str, names: Names) -> Grant:
    start = f"arn:{partition(names.region)}:kms:{names.region}:{names.account}:"
    arn = key if key.startswith("arn:") else f"{start}{key if key.startswith('alias/') else f'key/{key}'}"
    before, is_alias, alias = arn.partition(":alias/")
    return Grant(action, f"{before}:key/*", f"alias/{alias}") if is_alias else Grant(action, arn)
