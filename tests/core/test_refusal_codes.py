"""Which error codes are refusals for which a retry does not help, in every spelling."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import botocore
import pytest

from dequeuer.core.refusal_codes import KNOWN, OTHER, canonical, hint, is_refusal, label, permission

SPELLINGS = {
    "KmsAccessDenied": ("KMS.AccessDeniedException", "com.amazonaws.sqs#KmsAccessDenied", "Kms.AccessDenied"),
    "KmsDisabled": ("KMS.DisabledException", "KMSDisabledException", "com.amazonaws.sqs#KmsDisabled"),
    "KmsInvalidState": ("KMSInvalidStateException", "KMS.KMSInvalidStateException", "KMS.InvalidStateException"),
    "KmsNotFound": ("KMS.NotFoundException", "com.amazonaws.sqs#KmsNotFound"),
    "KmsOptInRequired": ("KMS.OptInRequired", "KmsOptInRequired"),
    "KmsInvalidKeyUsage": ("KMS.InvalidKeyUsageException", "KmsInvalidKeyUsage"),
    "AccessDenied": ("AWS.SimpleQueueService.AccessDenied", "com.amazonaws.sqs#AccessDenied"),
}


@pytest.mark.parametrize(("name", "spelling"), [(name, code) for name, codes in SPELLINGS.items() for code in codes])
def test_every_spelling_is_one_code_and_a_refusal(name: str, spelling: str) -> None:
    assert canonical(spelling) == label(spelling) == name
    assert is_refusal(400, spelling)
    assert is_refusal(0, spelling), "also as one entry of a batch, and inside an answer with status 200"


def test_every_kms_error_of_the_service_model_of_sqs_is_known() -> None:
    [model] = (Path(botocore.__file__).parent / "data" / "sqs").glob("*/service-2.json.gz")
    shapes = json.loads(gzip.decompress(model.read_bytes()))["shapes"]
    codes = [name for name, shape in shapes.items() if shape.get("exception") and name.startswith("Kms")]
    assert len(codes) >= 7
    for code in codes:
        assert is_refusal(400, code) is (code != "KmsThrottled"), code
        assert code == "KmsThrottled" or canonical(code) in KNOWN


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (403, "AccessDenied"),
        (403, ""),
        (401, ""),
        (301, "PermanentRedirect"),
        (301, ""),
        (400, "AuthorizationHeaderMalformed"),
        (404, "NoSuchBucket"),
        (400, "InvalidRequest"),
        (405, "MethodNotAllowed"),
        (400, "ExpiredToken"),
        (400, "SomethingThatNobodyKnows"),
    ],
)
def test_errors_for_which_a_retry_does_not_help(status: int, code: str) -> None:
    assert is_refusal(status, code)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "ThrottlingException"),
        (403, "RequestThrottled"),
        (403, "OverLimit"),
        (400, "RequestTimeout"),
        (403, "RequestTimeTooSkewed"),
        (409, "OperationAborted"),
        (409, "ConditionalRequestConflict"),
        (400, "KmsThrottled"),
        (400, "KMS.ThrottlingException"),
        (400, "BadDigest"),
        (400, "XAmzContentSHA256Mismatch"),
        (400, "XAmzContentChecksumMismatch"),
        (400, "IncompleteBody"),
        (429, "TooManyRequests"),
        (500, "InternalError"),
        (503, "SlowDown"),
        (503, ""),
        (400, ""),
        (408, "Any"),
        (307, "TemporaryRedirect"),
        (0, "InternalError"),
    ],
)
def test_errors_for_which_a_retry_can_help(status: int, code: str) -> None:
    assert not is_refusal(status, code)


def test_labels_are_of_a_bounded_set() -> None:
    assert label("AccessDenied") == "AccessDenied"
    assert label("whatever") == label("") == OTHER


def test_the_permission_is_that_of_the_key_when_the_key_refuses() -> None:
    assert permission("s3", "put", "AccessDenied") == "s3:PutObject"
    assert permission("s3", "put", "KMS.DisabledException") == "kms:GenerateDataKey"
    assert permission("sqs", "receive", "KmsAccessDenied") == "kms:Decrypt"
    assert permission("sqs", "ack", "KmsAccessDenied") == "sqs:DeleteMessage"
    assert permission("sqs", "publish", "AuthorizationError") == "sns:Publish"
    assert permission("sqs", "publish", "KMSAccessDenied") == "kms:GenerateDataKey"
    assert permission("sqs", "put_events", "AccessDeniedException") == "events:PutEvents"


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("NoSuchBucket", "DEQUEUER_BUCKET"),
        ("PermanentRedirect", "AWS_REGION"),
        ("ExpiredToken", "credentials"),
        ("KmsDisabled", "KMS key"),
        ("AccessDenied", "kms:GenerateDataKey"),
    ],
)
def test_the_hint_names_the_cause_to_check(code: str, words: str) -> None:
    assert words in hint("s3", "put", code)


@pytest.mark.parametrize(("op", "code"), [("publish", "NotFound"), ("put_events", "ResourceNotFoundException")])
def test_the_hint_of_a_missing_target_names_its_option(op: str, code: str) -> None:
    assert "DEQUEUER_EVENTS_TARGET" in hint("sqs", op, code)
    assert "DEQUEUER_EVENTS_TARGET" not in hint("sqs", op, "AccessDenied")
