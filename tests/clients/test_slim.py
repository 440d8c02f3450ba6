"""Endpoints and credentials of the slim clients."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dequeuer.aws.partitions import domain
from dequeuer.clients.slim import SlimAws
from dequeuer.core.errors import ConfigurationError
from dequeuer.settings import AwsSettings

ROOT = Path(__file__).resolve().parents[2]
KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_SESSION_TOKEN": "token"}
WITHOUT_SDK = """
import asyncio, sys
from dequeuer.clients.slim import SlimAws
from dequeuer.core.events import ignore
from dequeuer.settings import AwsSettings
where = AwsSettings(region="eu-west-1", endpoint_url="http://127.0.0.1:1", endpoint_url_sqs=None, endpoint_url_s3=None)
SlimAws(where, {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}).store("bucket", ignore)
print(*sorted({name.partition(".")[0] for name in sys.modules} & {"aiobotocore", "botocore", "aiohttp"}))
"""


def where(region: str | None = "eu-west-1", **more: Any) -> AwsSettings:
    urls: dict[str, Any] = {"endpoint_url": None, "endpoint_url_sqs": None, "endpoint_url_s3": None}
    return AwsSettings(region=region, **{**urls, **more})


@pytest.mark.parametrize(
    ("region", "bucket", "authority", "path_style"),
    [
        ("eu-west-1", "bucket", "bucket.s3.eu-west-1.amazonaws.com", False),
        ("us-east-1", "bucket", "bucket.s3.us-east-1.amazonaws.com", False),
        ("eu-west-1", "my.bucket", "s3.eu-west-1.amazonaws.com", True),
        ("cn-north-1", "bucket", "bucket.s3.cn-north-1.amazonaws.com.cn", False),
    ],
)
def test_a_bucket_of_aws_has_its_own_host_unless_its_name_has_a_dot(
    region: str, bucket: str, authority: str, path_style: bool
) -> None:
    endpoint, style = SlimAws(where(region), KEYS)._s3(bucket)
    assert (endpoint.authority, style) == (authority, path_style)


def test_another_endpoint_is_addressed_by_path() -> None:
    endpoint, style = SlimAws(where(endpoint_url="http://127.0.0.1:4566"), KEYS)._s3("bucket")
    assert (endpoint.authority, style) == ("127.0.0.1:4566", True)


@pytest.mark.parametrize(
    ("region", "name"),
    [
        ("us-gov-west-1", "amazonaws.com"),
        ("cn-northwest-1", "amazonaws.com.cn"),
        ("us-iso-east-1", "c2s.ic.gov"),
        ("us-isob-east-1", "sc2s.sgov.gov"),
    ],
)
def test_other_partitions_have_other_domains(region: str, name: str) -> None:
    assert domain(region) == name


def test_an_endpoint_that_is_none_is_found_at_once() -> None:
    with pytest.raises(ConfigurationError, match="AWS_ENDPOINT_URL"):
        SlimAws(where(endpoint_url_sqs="http://h/path"), KEYS)


async def test_keys_of_the_environment_are_used_and_never_shown() -> None:
    keys = SlimAws(where(), KEYS)._keys
    await keys.wait_until_valid()
    current = keys.current()
    assert (current.access_key, current.secret_key, current.token) == ("AKID", "secret", "token")
    assert "secret" not in repr(current)


def test_a_ca_bundle_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    nonsense = tmp_path / "ca.pem"
    nonsense.write_text("none")
    for path in ("/nowhere.pem", str(nonsense)):
        with pytest.raises(ConfigurationError, match="AWS_CA_BUNDLE"):
            SlimAws(where(), KEYS | {"AWS_CA_BUNDLE": path})


def test_a_missing_region_is_an_error_that_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    with pytest.raises(ConfigurationError, match="AWS_REGION"):
        SlimAws(where(None), KEYS)


def test_with_keys_in_the_environment_no_sdk_is_loaded() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_SDK],
        env={"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])},
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == ""
