from __future__ import annotations

import pytest

from dequeuer.core.errors import ConfigurationError
from dequeuer.settings import load_gateway
from dequeuer.sinks.protection import UNPROTECTED, ObjectProtection
from tests.settings.environments import ASYNC, GATEWAY, faults, load

KEY = "arn:aws:kms:eu-west-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"


def test_nothing_is_asked_for_by_default() -> None:
    assert load([], ASYNC).aws.protection == UNPROTECTED
    assert load_gateway([], GATEWAY).aws.protection == UNPROTECTED


@pytest.mark.parametrize("key", [KEY, "1234abcd-12ab-34cd-56ef-1234567890ab", "alias/results", "mrk-1234abcd"])
def test_sidecar_and_gateway_read_the_same_variables(key: str) -> None:
    given = {
        "DEQUEUER_S3_SSE": "aws:kms",
        "DEQUEUER_S3_SSE_KMS_KEY_ID": key,
        "DEQUEUER_S3_BUCKET_OWNER": "012345678901",
    }
    wanted = ObjectProtection(sse="aws:kms", sse_kms_key_id=key, bucket_owner="012345678901")
    assert load([], ASYNC | given).aws.protection == wanted
    assert load_gateway([], GATEWAY | given).aws.protection == wanted


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("DEQUEUER_S3_SSE", "AES-256"),
        ("DEQUEUER_S3_SSE", "kms"),
        ("DEQUEUER_S3_BUCKET_OWNER", "12345678901"),
        ("DEQUEUER_S3_BUCKET_OWNER", "1234-5678-9012"),
        ("DEQUEUER_S3_SSE_KMS_KEY_ID", "my key"),
        ("DEQUEUER_S3_SSE_KMS_KEY_ID", "arn:aws:s3:::bucket"),
        ("DEQUEUER_S3_SSE_KMS_KEY_ID", "a\r\nx-amz-acl:public-read"),
    ],
)
def test_a_bad_value_is_named(name: str, text: str) -> None:
    (fault,) = faults([], ASYNC | {"DEQUEUER_S3_SSE": "aws:kms"} | {name: text})
    assert fault.startswith(name)
    assert "allowed: " in fault


@pytest.mark.parametrize("sse", [None, "AES256"])
def test_a_kms_key_needs_kms(sse: str | None) -> None:
    given = {"DEQUEUER_S3_SSE_KMS_KEY_ID": KEY} | ({"DEQUEUER_S3_SSE": sse} if sse else {})
    (fault,) = faults([], ASYNC | given)
    assert fault.startswith("DEQUEUER_S3_SSE_KMS_KEY_ID")
    assert "aws:kms:dsse" in fault
    with pytest.raises(ConfigurationError, match="DEQUEUER_S3_SSE_KMS_KEY_ID"):
        load_gateway([], GATEWAY | given)


def test_creations_have_the_encryption_header_and_all_requests_the_owner_header() -> None:
    protection = ObjectProtection(sse="aws:kms:dsse", sse_kms_key_id=KEY, bucket_owner="012345678901")
    assert dict(protection.creation_fields()) == {
        "x-amz-server-side-encryption": "aws:kms:dsse",
        "x-amz-server-side-encryption-aws-kms-key-id": KEY,
    }
    assert dict(protection.common_fields()) == {"x-amz-expected-bucket-owner": "012345678901"}
    assert not UNPROTECTED.creation_fields()
    assert not UNPROTECTED.common_fields()
