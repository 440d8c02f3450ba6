"""A bucket: whether it exists and is ours, and whether its settings fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from dequeuer.check.aws_access import AwsAccess
from dequeuer.check.bucket_facts import Answer, BucketFacts, BucketRead, Unread, look_at, read_settings
from dequeuer.check.finding import CheckId, Finding, Verdict, all_unknown, fault, not_known, ok, warning
from dequeuer.check.plan import BucketNeed
from dequeuer.core.errors import clip
from dequeuer.core.refusal_codes import CREDENTIALS
from dequeuer.settings import AwsSettings
from dequeuer.sinks.expiry import RULE_ID
from dequeuer.sinks.protection import UNPROTECTED

NOT_SEEN: Final = "the bucket could not be looked at"
Judge = Callable[[BucketFacts, BucketNeed, AwsSettings], Verdict | None]
"""Returns None where the check says nothing about such a bucket."""


async def check_bucket(access: AwsAccess, need: BucketNeed) -> tuple[list[Finding], BucketRead]:
    """Return the findings about a bucket, and what was read of it."""
    if access.slim is None:
        reason = f"the SDK's clients are used: {clip(access.sdk_because)}"
        return all_unknown(CHECKS_OF_BUCKETS, need.name, reason), None
    settings = access.settings
    owner = settings.s3_bucket_owner if need.is_own else None
    bucket = access.slim.raw_bucket(need.name, settings.protection if need.is_own else UNPROTECTED)
    plain = access.slim.raw_bucket(need.name, UNPROTECTED)
    try:
        seen = await look_at(bucket, need.below)
        without_owner = await look_at(plain, need.below) if owner and seen.status == 403 else seen
        owner_verdict = judge_owner(seen, without_owner, owner)
        found = [Finding(id="bucket.exists", subject=need.name, verdict=judge_exists(without_owner, need))]
        found.append(Finding(id="bucket.owner", subject=need.name, verdict=owner_verdict))
        if found[0].verdict.state != "ok":
            found += all_unknown(_JUDGES, need.name, NOT_SEEN)
            # Who may not list may be allowed to do other things; a bucket that is not there has no permissions.
            return found, Unread(reason=NOT_SEEN) if found[0].verdict.state == "fault" else None
        facts = await read_settings(bucket if seen.status < 300 else plain, seen, need.rule_prefix, need.rule_days)
    finally:
        await bucket.close()
        await plain.close()
    for check, judge in _JUDGES.items():
        verdict = judge(facts, need, settings)
        if verdict is not None:
            found.append(Finding(id=check, subject=need.name, verdict=verdict))
    return found, facts if owner_verdict.state == "ok" else Unread(reason="another account owns the bucket")


def judge_exists(seen: Answer, need: BucketNeed) -> Verdict:
    """Return whether a bucket is there, from a listing."""
    if 200 <= seen.status < 300:
        return ok("it is there, and can be listed")
    if seen.code == "NoSuchBucket":
        return fault("the bucket does not exist", f"create it, or correct {need.option} and AWS_REGION")
    if seen.code in CREDENTIALS:
        return fault(seen.text, "S3 refuses the credentials: see identity.*")
    if seen.status == 403:
        return not_known(f"it may not be listed ({seen.text})", "see permission.s3.list_bucket")
    return fault(seen.text, f"see network.*; look at {need.option} and AWS_REGION, too")


def judge_owner(seen: Answer, without_owner: Answer, owner: str | None) -> Verdict:
    """Return whether the bucket belongs to the expected account."""
    if owner is None:
        return ok("not compared: DEQUEUER_S3_BUCKET_OWNER is not set")
    if seen.status < 300 and seen.status:
        return ok(f"{owner}, or the store does not compare it")
    if 200 <= without_owner.status < 300:
        return fault(
            f"another account than {owner} owns the bucket",
            "correct DEQUEUER_S3_BUCKET_OWNER, or DEQUEUER_BUCKET: S3 refuses every request",
        )
    return not_known(NOT_SEEN)


def judge_region(facts: BucketFacts, _need: BucketNeed, settings: AwsSettings) -> Verdict | None:
    """Return whether the bucket is in the configured region."""
    if not facts.region:
        return not_known("S3 did not say")
    if settings.region is None or settings.region == facts.region:
        return ok(clip(facts.region))
    return warning(
        f"{clip(facts.region)}, and AWS_REGION is {settings.region}",
        "work goes on, with more time and money for each byte: move bucket, queue and pods into one region",
    )


def judge_encryption(facts: BucketFacts, need: BucketNeed, settings: AwsSettings) -> Verdict | None:
    """Return whether the bucket's default encryption is what the writes ask for."""
    wanted = settings.s3_sse if need.is_own else None
    if isinstance(facts.encryption, Unread):
        return not_known(facts.encryption.reason)
    found = facts.encryption.value
    text = "none named" if found is None else f"{found.algorithm} {found.key}".strip()
    if wanted is None:
        if found is None or not found.algorithm.startswith("aws:kms"):
            return ok(clip(text))
        return ok(f"{clip(text)}: kms:GenerateDataKey and kms:Decrypt on the key must be allowed, by its policy, too")
    if found is None or found.algorithm == wanted:
        return ok(f"{clip(text)}; every write asks for {wanted}")
    return warning(
        f"the default is {clip(text)}, and every write asks for {wanted} (DEQUEUER_S3_SSE)",
        "objects of others are encrypted otherwise, and a bucket policy may refuse one of the two: set both alike",
    )


def judge_versioning(facts: BucketFacts, need: BucketNeed, _settings: AwsSettings) -> Verdict | None:
    """Return whether old versions are deleted some day."""
    if isinstance(facts.versioning, Unread):
        return not_known(facts.versioning.reason)
    state = facts.versioning.value
    if state != "Enabled":
        return ok("off" if state is None else "suspended")
    if need.rule_prefix:
        return ok(f"on; old versions are deleted by the lifecycle rule after {need.rule_days} days")
    return warning(
        "on, and no rule of this program deletes old versions",
        "payloads and results stay as old versions and cost money: add a rule with NoncurrentVersionExpiration",
    )


def judge_lifecycle(facts: BucketFacts, need: BucketNeed, _settings: AwsSettings) -> Verdict | None:
    """Return whether the bucket has the rule by which requests are deleted."""
    if not need.rule_prefix:
        return None
    if isinstance(facts.rule, Unread):
        return not_known(facts.rule.reason)
    rule = f"{RULE_ID}, {need.rule_days} days below {need.rule_prefix}"
    if facts.rule.value == "there":
        return ok(rule)
    if facts.rule.value == "different":
        return warning(
            f"the bucket has another rule of that name than {rule}",
            "the sidecar writes it anew at its start: give all programs of the bucket the same "
            "DEQUEUER_RESULT_RETENTION_DAYS",
        )
    return ok(f"not there yet: the sidecar writes {rule} at its start")


def judge_object_lock(facts: BucketFacts, need: BucketNeed, _settings: AwsSettings) -> Verdict | None:
    """Return whether objects can be deleted when they are to be."""
    if isinstance(facts.lock_days, Unread):
        return not_known(facts.lock_days.reason)
    days = facts.lock_days.value
    if days is None or days <= need.rule_days:
        return ok("no default retention" if days is None else f"{days} days")
    return warning(
        f"versions are locked for {days} days by default",
        "payloads that are deleted after a request stay as old versions that long: use another bucket, or a "
        "shorter retention",
    )


def judge_public_access(facts: BucketFacts, _need: BucketNeed, _settings: AwsSettings) -> Verdict | None:
    """Return whether the bucket can be made public."""
    if isinstance(facts.is_blocked, Unread):
        return not_known(facts.is_blocked.reason)
    if facts.is_blocked.value:
        return ok("blocked")
    return warning(
        "public access is not blocked on the bucket",
        "payloads and results are in it: turn on all of Block Public Access, unless the account has it on",
    )


_JUDGES: Final[Mapping[CheckId, Judge]] = {
    "bucket.region": judge_region,
    "bucket.encryption": judge_encryption,
    "bucket.versioning": judge_versioning,
    "bucket.lifecycle": judge_lifecycle,
    "bucket.object_lock": judge_object_lock,
    "bucket.public_access": judge_public_access,
}
CHECKS_OF_BUCKETS: Final[Sequence[CheckId]] = ("bucket.exists", "bucket.owner", *_JUDGES)
