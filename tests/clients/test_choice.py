"""Which clients are used with which configuration."""

from dataclasses import replace
from pathlib import Path

import pytest

from dequeuer.clients.choice import AwsResources, Choice, choose, connect
from dequeuer.core.errors import ConfigurationError
from dequeuer.formats.events_target import target_of_arn
from dequeuer.settings import AwsSettings
from dequeuer.settings.shared import AwsClient

KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_CONFIG_FILE": "/dev/null"}
QUEUE = "https://sqs.eu-west-1.amazonaws.com/123456789012/q"
ARN = "arn:aws:s3:eu-west-1:123456789012:accesspoint/mine"


def where(**urls: str | None) -> AwsSettings:
    none: dict[str, str | None] = {"endpoint_url": None, "endpoint_url_sqs": None, "endpoint_url_s3": None}
    return AwsSettings(region="eu-west-1", **(none | urls))  # type: ignore[arg-type]  # all are fields of AwsSettings


def chosen(
    environ: dict[str, str] | None = None,
    *,
    settings: AwsSettings | None = None,
    client: AwsClient = "auto",
    bucket: str = "bucket",
) -> Choice:
    return choose(replace(settings or where(), client=client), KEYS | (environ or {}), AwsResources(bucket, (QUEUE,)))


def test_slim_unless_something_needs_the_sdk() -> None:
    assert chosen() == Choice("slim")
    assert chosen(client="sdk") == Choice("sdk")
    assert chosen(client="slim") == Choice("slim")


NEEDS: dict[str, tuple[dict[str, str], dict[str, str], str, str]] = {
    "a proxy": ({"HTTPS_PROXY": "http://p:1"}, {}, "bucket", "HTTPS_PROXY"),
    "a proxy in lower case": ({"https_proxy": "http://p:1", "HTTPS_PROXY": ""}, {}, "bucket", "https_proxy"),
    "a proxy for a plain endpoint": (
        {"HTTP_PROXY": "http://p:1"},
        {"endpoint_url_sqs": "http://queues"},
        "bucket",
        "HTTP_PROXY",
    ),
    "FIPS": ({"AWS_USE_FIPS_ENDPOINT": "true"}, {}, "bucket", "AWS_USE_FIPS_ENDPOINT"),
    "dual-stack": ({"AWS_USE_DUALSTACK_ENDPOINT": "True"}, {}, "bucket", "AWS_USE_DUALSTACK_ENDPOINT"),
    "an access point": ({}, {}, ARN, "DEQUEUER_BUCKET"),
    "a directory bucket": ({}, {}, "mine--use1-az4--x-s3", "DEQUEUER_BUCKET"),
    "Object Lambda": ({}, {}, "mine-abc--ol-s3", "DEQUEUER_BUCKET"),
    "a path": ({}, {"endpoint_url": "http://gate/aws"}, "bucket", "AWS_ENDPOINT_URL"),
    "a path for S3": ({}, {"endpoint_url_s3": "http://gate/s3/"}, "bucket", "AWS_ENDPOINT_URL_S3"),
}


@pytest.mark.parametrize("name", NEEDS)
def test_what_only_the_sdk_can_do(name: str) -> None:
    environ, urls, bucket, variable = NEEDS[name]
    found = chosen(environ, settings=where(**urls), bucket=bucket)
    assert found.client == "sdk"
    assert [reason.startswith(variable) for reason in found.reasons] == [True]
    assert type(connect(where(**urls), found.client, KEYS)).__name__ == "Aws"
    with pytest.raises(ConfigurationError) as caught:
        chosen(environ, settings=where(**urls), bucket=bucket, client="slim")
    [fault] = caught.value.faults
    assert fault.startswith("DEQUEUER_AWS_CLIENT: slim, and ")
    assert variable in fault


HARMLESS: dict[str, tuple[dict[str, str], dict[str, str], str]] = {
    "an empty proxy": ({"HTTPS_PROXY": ""}, {}, "bucket"),
    "a proxy that is switched off": ({"https_proxy": "", "HTTPS_PROXY": "http://p:1"}, {}, "bucket"),
    "a proxy for another scheme": ({"HTTP_PROXY": "http://p:1"}, {}, "bucket"),
    "no proxy for AWS": ({"HTTPS_PROXY": "http://p:1", "NO_PROXY": "localhost,.amazonaws.com"}, {}, "bucket"),
    "no proxy at all": ({"HTTPS_PROXY": "http://p:1", "no_proxy": "*"}, {}, "bucket"),
    "no proxy for this port": (
        {"HTTP_PROXY": "http://p:1", "NO_PROXY": "10.0.0.1:4566"},
        {"endpoint_url": "http://10.0.0.1:4566"},
        "bucket",
    ),
    "switched off": ({"AWS_USE_FIPS_ENDPOINT": "false", "AWS_USE_DUALSTACK_ENDPOINT": ""}, {}, "bucket"),
    "an alias of an access point": ({}, {}, "mine-abcdef-s3alias"),
    "a slash": ({}, {"endpoint_url": "http://gate/"}, "bucket"),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_the_slim_ones_can_do(name: str) -> None:
    environ, urls, bucket = HARMLESS[name]
    assert chosen(environ, settings=where(**urls), bucket=bucket) == Choice("slim")


def test_a_proxy_for_the_bucket_alone() -> None:
    environ = {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "sqs.eu-west-1.amazonaws.com"}
    assert "applies to s3.eu-west-1.amazonaws.com" in chosen(environ).reasons[0]
    assert chosen(environ, bucket="") == Choice("slim")


def test_the_region_of_a_queue_decides_whether_it_is_behind_a_proxy() -> None:
    environ = KEYS | {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "sqs.cn-north-1.amazonaws.com.cn"}
    places = AwsResources("", ("https://sqs.cn-north-1.amazonaws.com.cn/123456789012/q",))
    assert choose(where(), environ, places) == Choice("slim")


def test_a_proxy_between_here_and_the_topic_of_events() -> None:
    environ = KEYS | {"HTTPS_PROXY": "http://p:1", "NO_PROXY": "sqs.eu-west-1.amazonaws.com"}
    for arn, host in (
        ("arn:aws:sns:us-west-2:123456789012:t", "sns.us-west-2.amazonaws.com"),
        ("arn:aws:events:us-west-2:123456789012:event-bus/b", "events.us-west-2.amazonaws.com"),
    ):
        found = choose(where(), environ, AwsResources("", (QUEUE,), target_of_arn(arn)))
        assert (found.client, f"applies to {host}" in found.reasons[0]) == ("sdk", True)
        environ_without = environ | {"NO_PROXY": f"{environ['NO_PROXY']},{host}"}
        assert choose(where(), environ_without, AwsResources("", (QUEUE,), target_of_arn(arn))) == Choice("slim")


def test_a_proxy_between_here_and_the_keys() -> None:
    environ = {
        "HTTPS_PROXY": "http://p:1",
        "NO_PROXY": "sqs.eu-west-1.amazonaws.com,s3.eu-west-1.amazonaws.com",
        "AWS_WEB_IDENTITY_TOKEN_FILE": "/token",
    }
    assert "sts.eu-west-1" in chosen(environ).reasons[0]


@pytest.mark.parametrize(
    ("text", "profile", "client"),
    [
        ("[default]\nuse_fips_endpoint = true\n", "", "sdk"),
        ("[default]\nuse_fips_endpoint = false\n", "", "slim"),
        ("[profile p]\nuse_dualstack_endpoint = true\n", "", "slim"),
        ("[profile p]\nuse_dualstack_endpoint = true\n", "p", "sdk"),
        ("use_fips_endpoint = true, in no section", "", "slim"),
    ],
)
def test_the_configuration_file_can_ask_for_other_endpoints(
    tmp_path: Path, text: str, profile: str, client: str
) -> None:
    path = tmp_path / "config"
    path.write_text(text)
    environ = {"AWS_CONFIG_FILE": str(path), **({"AWS_PROFILE": profile} if profile else {})}
    assert chosen(environ).client == client
    assert chosen(environ | dict.fromkeys(("AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT"), "")).client == "slim"


@pytest.mark.parametrize("client", ["auto", "sdk", "slim"])
def test_fips_at_an_endpoint_of_ones_own_is_impossible(client: AwsClient) -> None:
    with pytest.raises(ConfigurationError, match=r"^AWS_ENDPOINT_URL_S3: .*AWS_USE_FIPS_ENDPOINT is set"):
        chosen({"AWS_USE_FIPS_ENDPOINT": "true"}, settings=where(endpoint_url_s3="http://here"), client=client)


def test_contradictions_and_what_slim_cannot_do_are_reported_together() -> None:
    with pytest.raises(ConfigurationError) as caught:
        chosen(
            {"AWS_USE_FIPS_ENDPOINT": "true"},
            settings=where(endpoint_url_s3="http://here"),
            bucket="mine--use1-az4--x-s3",
            client="slim",
        )
    assert [fault.partition(":")[0] for fault in caught.value.faults] == [
        "AWS_ENDPOINT_URL_S3",
        "DEQUEUER_AWS_CLIENT",
        "DEQUEUER_AWS_CLIENT",
    ]
