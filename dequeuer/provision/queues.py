"""Creates a queue that is missing, and compares one that is there with what is asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from dequeuer.core.errors import DequeuerError, clip
from dequeuer.provision.calls import call
from dequeuer.provision.steps import Limits, Report, Step
from dequeuer.provision.wanted import (
    ANY_ACCOUNT,
    KMS_KEY,
    SOURCE_TAG,
    SSE_SQS,
    WantedQueue,
    redrive_allow_policy,
    redrive_policy,
)
from dequeuer.sources.sqs.management import Queues
from dequeuer.sources.sqs.queue_settings import QueueSettings

_REDRIVE: Final = "RedrivePolicy"
_ALLOW: Final = "RedriveAllowPolicy"


class AnotherAccountError(DequeuerError):
    """The settings name a queue of another account than that of the credentials. Nothing more is changed."""

    def __init__(self, resource: str, asked: str, found: str) -> None:
        super().__init__(
            f"{resource} is in account {clip(found)}, that of the credentials, and the URL of the settings names "
            f"account {asked}: correct one of them; what this run has created in account {clip(found)} stays there"
        )


class _Change(NamedTuple):
    """An attribute that is to be another one. `completes`: an earlier run of this program was stopped before it."""

    name: str
    found: str
    asked: str
    value: str
    completes: bool = False


class FoundQueue(NamedTuple):
    """A queue that is there."""

    url: str
    arn: str


class QueueProvisioner:
    """Brings queues to what is asked for, one after the other.

    Args:
        queues: finds and creates them.
        settings: reads and changes them.
        limits: of this run.
        report: gets every step, before it is taken.
    """

    def __init__(self, queues: Queues, settings: QueueSettings, limits: Limits, report: Report) -> None:
        self._queues = queues
        self._settings = settings
        self._limits = limits
        self._report = report
        self._arns: dict[str, str] = {}

    async def provision(self, wanted: WantedQueue) -> FoundQueue | None:
        """Return the queue; None in a dry run without it. A dead-letter queue comes before its queue.

        Raises:
            CallFailedError: AWS refuses a call or does not answer. A later run goes on.
            AnotherAccountError: the credentials are of another account than the URL of the queue.
        """
        resource = f"queue {wanted.name}"
        url = await call("GetQueueUrl", resource, self._queues.find, wanted.name)
        if url is not None:
            await self._compare(wanted, url, resource)
            return FoundQueue(url, self._arns[wanted.name])
        self._report(Step(kind="create", resource=resource, detail=_summary(wanted)))
        if self._limits.is_dry:
            return None
        attributes = dict(wanted.attributes)
        if wanted.dead_letters:
            attributes[_REDRIVE] = redrive_policy(self._arns[wanted.dead_letters], wanted.max_receives)
        url = await call("CreateQueue", resource, self._queues.ensure, wanted.name, attributes, wanted.tags)
        found = await self._read(wanted, url, resource)
        if wanted.source:
            await self._set(url, resource, [*_allow_change(wanted, found, wanted.tags, self._arns[wanted.name])])
        return FoundQueue(url, self._arns[wanted.name])

    async def _read(self, wanted: WantedQueue, url: str, resource: str) -> Mapping[str, str]:
        found = await call("GetQueueAttributes", resource, self._settings.attributes, url)
        arn = self._arns[wanted.name] = found.get("QueueArn", "")
        if wanted.account not in (ANY_ACCOUNT, _account(arn)):
            raise AnotherAccountError(resource, wanted.account, _account(arn))
        return found

    async def _compare(self, wanted: WantedQueue, url: str, resource: str) -> None:
        found = await self._read(wanted, url, resource)
        tags = await call("ListQueueTags", resource, self._settings.tags, url)
        own_arn = self._arns[wanted.name]
        changes = [*_attribute_changes(wanted, found)]
        if wanted.dead_letters:
            # In a dry run the dead-letter queue may be missing: it will be of the same account and region.
            target = self._arns.get(wanted.dead_letters) or _sibling(own_arn, wanted.dead_letters)
            changes += _redrive_change(wanted, found, target)
        changes += _allow_change(wanted, found, tags, own_arn)
        new_tags, tag_steps = self._tags(wanted, tags, resource)
        steps = [*(self._step(change, resource) for change in changes), *tag_steps]
        for step in steps or [Step(kind="leave", resource=resource)]:
            self._report(step)
        if self._limits.is_dry:
            return
        await self._set(url, resource, [one for one in changes if one.completes or self._limits.may_change])
        if new_tags:
            await call("TagQueue", resource, self._settings.tag, url, new_tags)

    def _step(self, change: _Change, resource: str) -> Step:
        if change.completes:
            return Step(kind="change", resource=resource, detail=f"{change.name}: {change.found} -> {change.asked}")
        return self._limits.step_for(resource, change.name, change.found, change.asked)

    def _tags(
        self, wanted: WantedQueue, found: Mapping[str, str], resource: str
    ) -> tuple[Mapping[str, str], Sequence[Step]]:
        """Return the tags that are to be written, and the steps for those that are missing or different."""
        written, steps = {}, []
        for name, value in wanted.tags.items():
            if name not in found and name != SOURCE_TAG:  # which says that this program created the queue
                steps.append(Step(kind="change", resource=resource, detail=f"tag {name}: none -> {value}"))
                written[name] = value
            elif found.get(name, value) != value:
                steps.append(self._limits.step_for(resource, f"tag {name}", clip(found[name]), value))
                if self._limits.may_change:
                    written[name] = value
        return written, steps

    async def _set(self, url: str, resource: str, changes: Sequence[_Change]) -> None:
        if changes:
            values = {change.name: change.value for change in changes}
            await call("SetQueueAttributes", resource, self._settings.set_attributes, url, values)


def _summary(wanted: WantedQueue) -> str:
    kind = "FIFO" if wanted.is_fifo else "standard"
    kept = f"keeps messages {wanted.attributes['MessageRetentionPeriod']} s"
    key = wanted.attributes.get(KMS_KEY)
    parts = [kind, kept, f"encrypted with {key}" if key else "encrypted by SQS"]
    if wanted.dead_letters:
        parts.append(f"to {wanted.dead_letters} after {wanted.max_receives} receives")
    return ", ".join(parts)


def _attribute_changes(wanted: WantedQueue, found: Mapping[str, str]) -> Iterator[_Change]:
    for name, value in wanted.attributes.items():
        present = found.get(name)
        if name == SSE_SQS:
            # A key of one's own is stronger. Servers other than AWS may not have the attribute.
            is_right = bool(found.get(KMS_KEY)) or present in (None, value)
        else:
            is_right = present == value or name == "FifoQueue"
        if not is_right:
            yield _Change(name, clip(present or "not set"), value, value)


def _redrive_change(wanted: WantedQueue, found: Mapping[str, str], target: str) -> Iterator[_Change]:
    policy = _json(found.get(_REDRIVE))
    present = (policy.get("deadLetterTargetArn"), str(policy.get("maxReceiveCount")))
    if present != (target, str(wanted.max_receives)):
        was = f"{clip(str(present[0]))} after {clip(present[1])} receives" if policy else "not set"
        asked = f"{target} after {wanted.max_receives} receives"
        yield _Change(_REDRIVE, was, asked, redrive_policy(target, wanted.max_receives))


def _allow_change(
    wanted: WantedQueue, found: Mapping[str, str], tags: Mapping[str, str], own_arn: str
) -> Iterator[_Change]:
    """Yield the change of the policy that says which queues may use a dead-letter queue.

    A queue of others without such a policy takes messages of every queue, and is left so: it may serve several.
    """
    if not wanted.source:
        return
    policy = _json(found.get(_ALLOW))
    source = _sibling(own_arn, wanted.source)
    asked = f"byQueue {source}"
    if not policy:
        if tags.get(SOURCE_TAG) == wanted.source:
            yield _Change(_ALLOW, "not set", asked, redrive_allow_policy([source]), completes=True)
        return
    listed = policy.get("sourceQueueArns")
    others = [str(arn) for arn in listed] if isinstance(listed, list) else []
    if policy.get("redrivePermission") == "allowAll" or source in others:
        return
    present = clip(f"{policy.get('redrivePermission')} {', '.join(others)}".strip())
    yield _Change(_ALLOW, present, asked, redrive_allow_policy([*others, source]))


def _json(text: str | None) -> Mapping[str, Any]:
    try:
        loaded = json.loads(text or "{}")
    except ValueError:
        return {}
    return loaded if isinstance(loaded, Mapping) else {}


def _account(arn: str) -> str:
    return arn.rpartition(":")[0].rpartition(":")[2]


def _sibling(arn: str, name: str) -> str:
    """Return the ARN of a queue of the same account and region."""
    return f"{arn.rpartition(':')[0]}:{name}"
