from __future__ import annotations

from dataclasses import replace

import pytest

from dequeuer.policies.all_needs import OF_PAGE
from dequeuer.policies.document import Grant
from dequeuer.policies.filling import Names, UnnamedError, filled
from dequeuer.policies.needs import Need
from dequeuer.sinks.layout import RequestKeys

QUEUE_URL = "https://sqs.eu-west-1.amazonaws.com/123456789012/work.fifo"
NAMES = Names(
    region="us-west-2",
    account="123456789012",
    queue_urls=[QUEUE_URL],
    dead_letter_urls=["https://sqs.eu-west-1.amazonaws.com/123456789012/work-dlq.fifo"],
    webhook_queue_url="https://sqs.eu-west-1.amazonaws.com/123456789012/webhooks",
    events="arn:aws:sns:us-west-2:123456789012:ends",
    bucket="store",
    cluster_uid="cluster",
    api_name="text",
    prefix="results/",
    output=["out"],
    files=["in-1", "in-2"],
    payloads=["large"],
    keys=["1234abcd"],
)


def need(resource: str, action: str = "s3:GetObject") -> Need:
    return Need(action=action, resource=resource, case="always", without="-")


def resources(pattern: str, names: Names = NAMES) -> list[str]:
    return [grant.resource for grant in filled([need(pattern)], names)]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("arn:aws:sqs:*:*:<queue>", ["arn:aws:sqs:eu-west-1:123456789012:work.fifo"]),
        ("arn:aws:sqs:*:*:<dead-letters>", ["arn:aws:sqs:eu-west-1:123456789012:work-dlq.fifo"]),
        ("arn:aws:sqs:*:*:cx_*", ["arn:aws:sqs:us-west-2:123456789012:cx_*"]),
        ("<topic>", ["arn:aws:sns:us-west-2:123456789012:ends"]),
        ("<key>", ["arn:aws:kms:us-west-2:123456789012:key/1234abcd"]),
        ("arn:aws:s3:::<bucket>", ["arn:aws:s3:::store"]),
        ("arn:aws:s3:::<files>", ["arn:aws:s3:::in-1", "arn:aws:s3:::in-2"]),
        ("arn:aws:s3:::<files>/*", ["arn:aws:s3:::in-1/*", "arn:aws:s3:::in-2/*"]),
        ("arn:aws:s3:::<bucket>/<prefix>/*", ["arn:aws:s3:::store/results/*"]),
        ("arn:aws:s3:::<bucket>/<cluster-uid>/workloads/<api>/*", ["arn:aws:s3:::store/cluster/workloads/text/*"]),
    ],
)
def test_real_names_take_the_place_of_those_in_brackets(pattern: str, expected: list[str]) -> None:
    assert resources(pattern) == expected


def test_every_queue_is_granted_in_the_region_of_its_url() -> None:
    urls = [QUEUE_URL, "https://sqs.eu-central-1.amazonaws.com/123456789012/more"]
    assert resources("arn:aws:sqs:*:*:<queue>", replace(NAMES, queue_urls=urls)) == [
        "arn:aws:sqs:eu-west-1:123456789012:work.fifo",
        "arn:aws:sqs:eu-central-1:123456789012:more",
    ]


def test_the_objects_of_a_request_are_those_that_the_sidecar_writes() -> None:
    [pattern] = resources("arn:aws:s3:::<bucket>/<cluster-uid>/workloads/<api>/*")
    keys = RequestKeys(cluster_uid="cluster", api_name="text", request_id="r")
    assert f"arn:aws:s3:::store/{keys.result}".startswith(pattern.removesuffix("*"))


def test_every_need_of_every_program_can_be_filled() -> None:
    for one in OF_PAGE:
        for grant in filled(one.needs, NAMES):
            assert "<" not in grant.resource


@pytest.mark.parametrize(
    "names",
    [
        replace(NAMES, queue_urls=()),
        replace(NAMES, webhook_queue_url=""),
        replace(NAMES, bucket=""),
        replace(NAMES, cluster_uid=""),
        replace(NAMES, keys=()),
    ],
    ids=["queue", "webhooks", "bucket", "cluster", "key"],
)
def test_a_name_that_is_missing_is_no_wider_grant(names: Names) -> None:
    with pytest.raises(UnnamedError):
        filled([need for one in OF_PAGE for need in one.needs], names)


def test_without_a_place_of_results_their_policy_is_refused() -> None:
    with pytest.raises(UnnamedError, match="prefix"):
        resources("arn:aws:s3:::<bucket>/<prefix>/*", replace(NAMES, prefix=None))


def test_a_whole_bucket_of_results_is_an_empty_prefix() -> None:
    assert resources("arn:aws:s3:::<bucket>/<prefix>/*", replace(NAMES, prefix="")) == ["arn:aws:s3:::store/*"]


def test_characters_that_iam_would_take_for_patterns_are_literal() -> None:
    assert resources("arn:aws:s3:::<bucket>/<prefix>/*", replace(NAMES, prefix="a*b?c$d/")) == [
        "arn:aws:s3:::store/a${*}b${?}c${$}d/*"
    ]


def test_the_objects_of_an_access_point_are_below_it() -> None:
    point = "arn:aws:s3:us-west-2:123456789012:accesspoint/mine"
    names = replace(NAMES, bucket=point)
    assert resources("arn:aws:s3:::<bucket>", names) == [point]
    assert resources("arn:aws:s3:::<bucket>/<cluster-uid>/jobs/*", names) == [f"{point}/object/cluster/jobs/*"]


@pytest.mark.parametrize("key", ["alias/mine", "arn:aws:kms:us-west-2:123456789012:alias/mine"])
def test_an_alias_of_a_key_is_a_condition_because_iam_knows_keys_by_their_ids(key: str) -> None:
    assert filled([need("<key>", "kms:Decrypt")], replace(NAMES, keys=[key])) == [
        Grant("kms:Decrypt", "arn:aws:kms:us-west-2:123456789012:key/*", "alias/mine")
    ]


def test_a_queue_at_a_local_server_has_the_region_of_the_settings() -> None:
    names = replace(NAMES, queue_urls=["http://127.0.0.1:4566/000000000000/work"])
    assert resources("arn:aws:sqs:*:*:<queue>", names) == ["arn:aws:sqs:us-west-2:000000000000:work"]


@pytest.mark.parametrize(
    ("region", "partition"), [("cn-north-1", "aws-cn"), ("us-gov-west-1", "aws-us-gov"), ("eu-west-1", "aws")]
)
def test_arns_are_of_the_partition_of_the_region(region: str, partition: str) -> None:
    names = Names(region=region, bucket="store", queue_urls=[f"https://sqs.{region}.amazonaws.com/123456789012/q"])
    assert resources("arn:aws:s3:::<bucket>", names) == [f"arn:{partition}:s3:::store"]
    assert resources("arn:aws:sqs:*:*:<queue>", names) == [f"arn:{partition}:sqs:{region}:123456789012:q"]
