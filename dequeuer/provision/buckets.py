"""Creates a bucket that is missing, and compares one that is there with what is asked for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from dequeuer.core.errors import clip
from dequeuer.policies.arns import bucket_arn
from dequeuer.provision.calls import CallFailedError, call
from dequeuer.provision.steps import Limits, Report, Step
from dequeuer.provision.wanted import TLS_SID, WantedBucket, tls_statement
from dequeuer.sinks.bucket_settings import BucketSetting, BucketSettings, Facts
from dequeuer.sinks.expiry import MISSING_PERMISSION, ExpiryChange

_CALLS: Final[Mapping[BucketSetting, tuple[str, str]]] = {
    "publicAccessBlock": ("GetPublicAccessBlock", "PutPublicAccessBlock"),
    "ownershipControls": ("GetBucketOwnershipControls", "PutBucketOwnershipControls"),
    "encryption": ("GetBucketEncryption", "PutBucketEncryption"),
    "policy": ("GetBucketPolicy", "PutBucketPolicy"),
}
_SSE_S3: Final = "AES256"


class ExpiryRule(Protocol):
    """The lifecycle rule of a bucket; see `dequeuer/clients/base.py`."""

    async def has_expiry(self, *, bucket: str, prefix: str, days: int) -> bool:
        """Return whether the bucket has it."""

    async def ensure_expiry(self, *, bucket: str, prefix: str, days: int) -> ExpiryChange:
        """Write it unless the bucket has it."""


class BucketProvisioner:
    """Brings a bucket to what is asked for.

    What S3 gives every new bucket is replaced in a bucket without objects, also after an earlier run was stopped; in a
    bucket with objects somebody may rely on it.

    Args:
        bucket: that it is about.
        rule: of the same store.
        region: in which it is created.
        limits: of this run.
        report: gets every step, before it is taken.
    """

    def __init__(
        self, bucket: BucketSettings, rule: ExpiryRule, *, region: str, limits: Limits, report: Report
    ) -> None:
        self._bucket = bucket
        self._rule = rule
        self._region = region
        self._limits = limits
        self._report = report
        self._is_right = True

    async def provision(self, wanted: WantedBucket) -> None:
        """Create the bucket, or compare it.

        Raises:
            CallFailedError: AWS refuses a call or does not answer. A later run goes on.
        """
        resource = f"bucket {wanted.name}"
        has_objects = await call("ListObjectsV2", resource, self._bucket.find)
        if has_objects is None:
            self._say(Step(kind="create", resource=resource, detail=f"in {self._region}"))
            if not self._limits.is_dry:
                await call("CreateBucket", resource, self._bucket.create, self._region)
            for setting, asked in self._settings(wanted).items():
                self._say(Step(kind="create", resource=resource, detail=f"{setting}: {_text(setting, asked)}"))
                await self._write(setting, asked, resource)
        else:
            await self._compare_region(resource)
            for setting, asked in self._settings(wanted).items():
                await self._compare(setting, asked, resource, is_empty=not has_objects)
        await self._expire(wanted, resource, is_new=has_objects is None)
        if self._is_right:
            self._report(Step(kind="leave", resource=resource))

    def _settings(self, wanted: WantedBucket) -> Mapping[BucketSetting, Facts]:
        if not wanted.is_tls_only:
            return wanted.settings
        arn = bucket_arn(wanted.name, self._region)
        policy = {"Version": "2012-10-17", "Statement": [tls_statement(arn, f"{arn}/*")]}
        return {**wanted.settings, "policy": {"Policy": json.dumps(policy)}}

    async def _compare_region(self, resource: str) -> None:
        found = await call("GetBucketLocation", resource, self._bucket.read, "location")
        region = (found or {}).get("LocationConstraint", "")
        if region != self._region:
            detail = f"region is {clip(region)}, asked for is {self._region}; no bucket can be moved"
            self._say(Step(kind="differs", resource=resource, detail=detail))

    async def _compare(self, setting: BucketSetting, asked: Facts, resource: str, *, is_empty: bool) -> None:
        found = await call(_CALLS[setting][0], resource, self._bucket.read, setting)
        if found is not None and _suffices(setting, found, asked):
            return
        if is_empty and (found is None or (setting == "encryption" and found.get("SSEAlgorithm") == _SSE_S3)):
            self._say(Step(kind="create", resource=resource, detail=f"{setting}: {_text(setting, asked)}"))
            await self._write(setting, asked, resource)
            return
        present = "not set" if found is None else _text(setting, found)
        self._say(self._limits.step_for(resource, setting, present, _text(setting, asked)))
        if self._limits.may_change:
            await self._write(setting, _merged(found, asked) if setting == "policy" else asked, resource)

    async def _write(self, setting: BucketSetting, facts: Facts, resource: str) -> None:
        if not self._limits.is_dry:
            await call(_CALLS[setting][1], resource, self._bucket.write, setting, facts)

    async def _expire(self, wanted: WantedBucket, resource: str, *, is_new: bool) -> None:
        """Write the lifecycle rule, as the sidecar does when it starts. Rules of others stay."""
        if not wanted.expiry_days:
            return
        name, prefix, days = wanted.name, wanted.expiry_prefix, wanted.expiry_days
        reading = "GetBucketLifecycleConfiguration"
        if not is_new and await call(reading, resource, self._rule.has_expiry, bucket=name, prefix=prefix, days=days):
            return
        detail = f"lifecycle rule: {prefix}* is deleted after {days} days"
        self._say(Step(kind="create" if is_new else "change", resource=resource, detail=detail))
        if self._limits.is_dry:
            return
        writing = "PutBucketLifecycleConfiguration"
        done = await call(writing, resource, self._rule.ensure_expiry, bucket=name, prefix=prefix, days=days)
        if done not in ("unchanged", "written"):
            refused = MISSING_PERMISSION.get(done, "such rules are not supported here")
            raise CallFailedError(writing, resource, refused, is_refusal=done in MISSING_PERMISSION)

    def _say(self, step: Step) -> None:
        self._is_right = False
        self._report(step)


def _suffices(setting: BucketSetting, found: Facts, asked: Facts) -> bool:
    if setting == "policy":
        [statement] = _statements(asked)
        return any(_without_sid(one) == _without_sid(statement) for one in _statements(found))
    if setting == "encryption" and asked.get("SSEAlgorithm") == _SSE_S3:
        return bool(found.get("SSEAlgorithm"))  # a key of one's own is stronger
    return asked.items() <= found.items()


def _merged(found: Facts | None, asked: Facts) -> Facts:
    """Return the policy that is there with our statement. One of the same Sid, which is another one, is replaced."""
    others = [one for one in _statements(found or {}) if one.get("Sid") != TLS_SID]
    policy = {**_json(found or asked), "Statement": [*others, *_statements(asked)]}
    return {"Policy": json.dumps(policy)}


def _statements(facts: Facts) -> Sequence[Mapping[str, Any]]:
    statements = _json(facts).get("Statement", [])
    listed = statements if isinstance(statements, list) else [statements]
    return [one for one in listed if isinstance(one, Mapping)]


def _json(facts: Facts) -> Mapping[str, Any]:
    try:
        loaded = json.loads(facts.get("Policy", "{}"))
    except ValueError:
        return {}
    return loaded if isinstance(loaded, Mapping) else {}


def _without_sid(statement: Mapping[str, Any]) -> Mapping[str, Any]:
    return {name: value for name, value in statement.items() if name != "Sid"}


def _text(setting: BucketSetting, facts: Facts) -> str:
    if setting == "policy":
        sids = [str(one.get("Sid", "a statement without Sid")) for one in _statements(facts)]
        return clip(", ".join(sids) or "no statement")
    if setting == "publicAccessBlock":
        missing = [name for name, value in facts.items() if value != "true"]
        return f"without {', '.join(missing)}" if missing else "all of it"
    return clip(" ".join(value for name, value in facts.items() if name != "BucketKeyEnabled"))
