"""The lifecycle rule on a real server."""

from __future__ import annotations

from tests.integration.cloud import CLUSTER, Bucket, Cloud, Queue
from tests.integration.container import Container
from tests.integration.sidecar import Sidecar, async_settings
from tests.integration.waiting import eventually

OURS = {
    "ID": "async-workloads-expiry-policy",
    "Status": "Enabled",
    "Filter": {"Prefix": f"{CLUSTER}/workloads/"},
    "Expiration": {"Days": 7},
    "NoncurrentVersionExpiration": {"NoncurrentDays": 7},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
}
THEIRS = {
    "ID": "theirs",
    "Status": "Enabled",
    "Filter": {"And": {"Prefix": "logs/", "ObjectSizeGreaterThan": 5000}},
    "NoncurrentVersionExpiration": {"NoncurrentDays": 3, "NewerNoncurrentVersions": 2},
}


def rules(bucket: Bucket) -> list[dict[str, object]]:
    """Return the bucket's rules."""
    found: list[dict[str, object]] = bucket.s3.get_bucket_lifecycle_configuration(Bucket=bucket.name)["Rules"]
    return found


def test_the_rule_is_added_to_those_of_others_and_only_once(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    bucket.s3.put_bucket_lifecycle_configuration(Bucket=bucket.name, LifecycleConfiguration={"Rules": [THEIRS]})
    for change in ("written", "unchanged"):
        with Sidecar(async_settings(cloud, queue, bucket, container.port)) as sidecar:
            eventually(lambda change=change, s=sidecar: any(change in line for line in s.lines), change)  # type: ignore[misc]
        assert rules(bucket) == [THEIRS, OURS]


def test_the_days_can_be_set(cloud: Cloud, queue: Queue, bucket: Bucket, container: Container) -> None:
    settings = async_settings(cloud, queue, bucket, container.port, DEQUEUER_RESULT_RETENTION_DAYS="30")
    with Sidecar(settings) as sidecar:
        eventually(lambda: any("written" in line for line in sidecar.lines), "the rule")
    days = {"Expiration": {"Days": 30}, "NoncurrentVersionExpiration": {"NoncurrentDays": 30}}
    assert rules(bucket) == [OURS | days]


def test_with_zero_days_the_rules_of_the_bucket_are_left_alone(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    stale = {**OURS, "Expiration": {"Days": 90}}
    bucket.s3.put_bucket_lifecycle_configuration(Bucket=bucket.name, LifecycleConfiguration={"Rules": [stale, THEIRS]})
    settings = async_settings(cloud, queue, bucket, container.port, DEQUEUER_RESULT_RETENTION_DAYS="0")
    with Sidecar(settings) as sidecar:
        request_id = bucket.submit(queue, b"{}")
        eventually(lambda: bucket.ended(request_id), "the request to end")
    assert rules(bucket) == [stale, THEIRS]
    assert not any("expiry_rule" in line for line in sidecar.lines)


def test_a_stale_one_of_ours_is_corrected_and_nothing_else(
    cloud: Cloud, queue: Queue, bucket: Bucket, container: Container
) -> None:
    stale = {**OURS, "Filter": {"Prefix": "elsewhere/"}, "Status": "Disabled", "Expiration": {"Days": 90}}
    bucket.s3.put_bucket_lifecycle_configuration(Bucket=bucket.name, LifecycleConfiguration={"Rules": [stale, THEIRS]})
    with Sidecar(async_settings(cloud, queue, bucket, container.port)) as sidecar:
        eventually(lambda: any("written" in line for line in sidecar.lines), "the rule")
    found = rules(bucket)
    assert len(found) == 2
    assert OURS in found
    assert THEIRS in found
