from __future__ import annotations

from typing import TypeVar

import pytest

from dequeuer.check import buckets
from dequeuer.check.bucket_facts import Answer, BucketFacts, Encryption, Known, Unread
from dequeuer.check.finding import State
from dequeuer.check.plan import BucketNeed
from dequeuer.settings import AwsSettings
from dequeuer.sinks.protection import Sse
from dequeuer.sinks.s3.lifecycle_xml import RuleState, rule_state

T = TypeVar("T")
NEED = BucketNeed(
    name="b", option="DEQUEUER_BUCKET", below="uid/workloads/api/", rule_prefix="uid/workloads/", rule_days=7
)
WITHOUT_RULE = BucketNeed(name="b", option="DEQUEUER_BUCKET", below="results/")
UNREAD = Unread(reason="S3 answered 403 AccessDenied", is_denied=True)


def facts(
    *,
    region: str = "us-west-2",
    versioning: Known[str] | Unread = UNREAD,
    encryption: Known[Encryption] | Unread = UNREAD,
    rule: Known[RuleState] | Unread = UNREAD,
    lock_days: Known[int] | Unread = UNREAD,
    is_blocked: Known[bool] | Unread = UNREAD,
) -> BucketFacts:
    return BucketFacts(
        region=region,
        versioning=versioning,
        encryption=encryption,
        rule=rule,
        lock_days=lock_days,
        is_blocked=is_blocked,
    )


def aws(region: str | None = "us-west-2", sse: Sse | None = None) -> AwsSettings:
    return AwsSettings(
        region=region,
        endpoint_url=None,
        endpoint_url_sqs=None,
        endpoint_url_s3=None,
        endpoint_url_sns=None,
        endpoint_url_event_bridge=None,
        client="auto",
        s3_sse=sse,
        s3_sse_kms_key_id=None,
        s3_bucket_owner=None,
    )


def answer(status: int, code: str = "") -> Answer:
    return Answer(status=status, code=code, text=f"S3 answered {status} {code}", region="")


@pytest.mark.parametrize(
    ("seen", "state"),
    [
        (answer(200), "ok"),
        (answer(404, "NoSuchBucket"), "fault"),
        # Who may not list cannot tell whether it is there; the permission is judged by itself.
        (answer(403, "AccessDenied"), "not_known"),
        (answer(403, "InvalidAccessKeyId"), "fault"),
        (answer(403, "SignatureDoesNotMatch"), "fault"),
        (answer(503, "SlowDown"), "fault"),
        (answer(0), "fault"),
    ],
)
def test_whether_a_bucket_exists(seen: Answer, state: State) -> None:
    assert buckets.judge_exists(seen, NEED).state == state


@pytest.mark.parametrize(
    ("seen", "without", "owner", "state"),
    [
        (answer(200), answer(200), None, "ok"),
        (answer(200), answer(200), "111122223333", "ok"),
        (answer(403), answer(200), "111122223333", "fault"),
        (answer(403), answer(403), "111122223333", "not_known"),
        (answer(0), answer(0), "111122223333", "not_known"),
    ],
)
def test_whether_the_owner_is_the_expected_one(seen: Answer, without: Answer, owner: str | None, state: State) -> None:
    assert buckets.judge_owner(seen, without, owner).state == state


@pytest.mark.parametrize(
    ("region", "configured", "state"),
    [
        ("us-west-2", "us-west-2", "ok"),
        ("eu-west-1", "us-west-2", "warning"),
        ("eu-west-1", None, "ok"),
        ("", "x-y-1", "not_known"),
    ],
)
def test_whether_the_bucket_is_near(region: str, configured: str | None, state: State) -> None:
    verdict = buckets.judge_region(facts(region=region), NEED, aws(region=configured))
    assert verdict is not None
    assert verdict.state == state


@pytest.mark.parametrize(
    ("found", "wanted", "state"),
    [
        (Encryption(algorithm="AES256", key=""), None, "ok"),
        (Encryption(algorithm="aws:kms", key="k"), None, "ok"),
        (Encryption(algorithm="aws:kms", key="k"), "aws:kms", "ok"),
        (Encryption(algorithm="AES256", key=""), "aws:kms", "warning"),
        (None, "AES256", "ok"),
    ],
)
def test_whether_writes_ask_for_what_the_bucket_does(
    found: Encryption | None, wanted: Sse | None, state: State
) -> None:
    verdict = buckets.judge_encryption(facts(encryption=Known(value=found)), NEED, aws(sse=wanted))
    assert verdict is not None
    assert verdict.state == state


@pytest.mark.parametrize(
    ("state_of_versions", "need", "state"),
    [
        (None, WITHOUT_RULE, "ok"),
        ("Suspended", WITHOUT_RULE, "ok"),
        ("Enabled", NEED, "ok"),
        ("Enabled", WITHOUT_RULE, "warning"),
    ],
)
def test_whether_old_versions_are_deleted(state_of_versions: str | None, need: BucketNeed, state: State) -> None:
    verdict = buckets.judge_versioning(facts(versioning=Known(value=state_of_versions)), need, aws())
    assert verdict is not None
    assert verdict.state == state


@pytest.mark.parametrize(("rule", "state"), [("there", "ok"), ("missing", "ok"), ("different", "warning")])
def test_whether_the_rule_is_there(rule: RuleState, state: State) -> None:
    verdict = buckets.judge_lifecycle(facts(rule=Known(value=rule)), NEED, aws())
    assert verdict is not None
    assert verdict.state == state
    assert buckets.judge_lifecycle(facts(rule=Known(value=rule)), WITHOUT_RULE, aws()) is None


@pytest.mark.parametrize(("days", "state"), [(None, "ok"), (7, "ok"), (8, "warning")])
def test_whether_objects_are_locked_for_longer_than_they_are_kept(days: int | None, state: State) -> None:
    verdict = buckets.judge_object_lock(facts(lock_days=Known(value=days)), NEED, aws())
    assert verdict is not None
    assert verdict.state == state


@pytest.mark.parametrize(("is_blocked", "state"), [(True, "ok"), (False, "warning"), (None, "warning")])
def test_whether_the_bucket_can_be_public(is_blocked: bool | None, state: State) -> None:
    verdict = buckets.judge_public_access(facts(is_blocked=Known(value=is_blocked)), NEED, aws())
    assert verdict is not None
    assert verdict.state == state


def test_what_may_not_be_read_is_not_known_with_its_reason() -> None:
    for judge in buckets._JUDGES.values():
        verdict = judge(facts(region=""), NEED, aws())
        assert verdict is not None
        assert verdict.state == "not_known"
        assert verdict.found in {UNREAD.reason, "S3 did not say"}


def rule(days: int, name: str = "async-workloads-expiry-policy") -> str:
    return (
        f"<Rule><ID>{name}</ID><Status>Enabled</Status><Filter><Prefix>p/</Prefix></Filter>"
        f"<Expiration><Days>{days}</Days></Expiration>"
        f"<NoncurrentVersionExpiration><NoncurrentDays>{days}</NoncurrentDays></NoncurrentVersionExpiration>"
        "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>"
        "</AbortIncompleteMultipartUpload></Rule>"
    )


@pytest.mark.parametrize(
    ("rules", "state"),
    [
        (None, "missing"),
        ("", "missing"),
        (rule(7, "of others"), "missing"),
        (rule(7, "of others") + rule(7), "there"),
        (rule(8), "different"),
        (rule(7) + rule(7), "different"),
    ],
)
def test_the_rule_of_a_configuration(rules: str | None, state: RuleState) -> None:
    document = None if rules is None else f"<LifecycleConfiguration>{rules}</LifecycleConfiguration>".encode()
    assert rule_state(document, "p/", 7) == state
