"""The error codes with which SQS and S3 refuse a call so that a retry does not help. For both services and clients.

The codes are from botocore's service models, from the query protocol of SQS (older than its JSON protocol), and from
the list of error responses of S3. KMS errors have several spellings; `canonical` returns one of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

NO_CREDENTIALS = "NoCredentials"
"""A code of this project: there are no credentials to sign a request with."""
OTHER = "other"
"""The metric label of codes that are not in the tables below."""

_KMS: Mapping[str, str] = {
    "accessdenied": "KmsAccessDenied",
    "disabled": "KmsDisabled",
    "incorrectkey": "KmsIncorrectKey",
    "invalidgranttoken": "KmsInvalidGrantToken",
    "invalidkeyusage": "KmsInvalidKeyUsage",
    "invalidstate": "KmsInvalidState",
    "invalidarn": "KmsInvalidArn",
    "notfound": "KmsNotFound",
    "optinrequired": "KmsOptInRequired",
    "unrecognizedclient": "KmsUnrecognizedClient",
}
_KMS_SPELLING = re.compile(r"(?:kms[._]?)+(.+?)(?:exception|error)?", re.IGNORECASE)

CREDENTIALS = frozenset(
    {
        NO_CREDENTIALS,
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSecurity",
        "InvalidToken",
        "MissingAuthenticationToken",
        "SignatureDoesNotMatch",
        "TokenRefreshRequired",
        "UnrecognizedClientException",
    }
)
"""The credentials are wrong, not a permission. They are read again for each request: rotated ones end the refusal."""

REGION = frozenset(
    {"AuthorizationHeaderMalformed", "IllegalLocationConstraintException", "PermanentRedirect", "InvalidRegion"}
)
"""The bucket or the queue is in another region."""

BUCKET = frozenset({"NoSuchBucket"})
"""The bucket does not exist."""

_NO_TARGET = frozenset({"NotFound", "NotFoundException", "ResourceNotFoundException"})

_PERMISSION = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AccountProblem",
        "AllAccessDisabled",
        "AuthorizationError",
        "InvalidPayer",
        "NotSignedUp",
        "OptInRequired",
        "UnauthorizedAccess",
    }
)
_OTHERS = frozenset(
    {
        "EntityTooLarge",
        "InvalidArgument",
        "InvalidBucketName",
        "InvalidBucketState",
        "InvalidEncryptionAlgorithmError",
        "InvalidObjectState",
        "InvalidRequest",
        "KeyTooLongError",
        "MethodNotAllowed",
        "MissingSecurityHeader",
        "ObjectLockConfigurationNotFoundError",
        "ServerSideEncryptionConfigurationNotFoundError",
        "UnsupportedOperation",
    }
)
"""Refusals of what the request asks for, not of who asks. They count only with a status that says so: `is_refusal`."""

KNOWN = frozenset({*_KMS.values(), *CREDENTIALS, *REGION, *BUCKET, *_PERMISSION, *_OTHERS})
"""Values of the metric label `code`; all other codes are `other`."""

_ALWAYS = frozenset({*_KMS.values(), *CREDENTIALS, *REGION, *BUCKET, *_PERMISSION})
"""Refusals with any HTTP status: some are inside a response with status 200."""

_TRANSIENT = re.compile(
    r"throttl|slow_?down|timeout|timed_?out|tooskewed|requestexpired|requestlimit|bandwidthlimit|overlimit|toomany"
    r"|unavailable|internal|conflict|operationaborted|inprogress|priorrequest|incompletebody|baddigest"
    r"|checksummismatch|sha256mismatch|deletedrecently|concurrent",
    re.IGNORECASE,
)
"""Codes with a 4xx status for which a retry can help."""


def canonical(code: str) -> str:
    """Return a code without its namespace, and KMS errors in one spelling.

    `com.amazonaws.sqs#KmsDisabled`, `KMS.DisabledException` and `KMSDisabledException` are `KmsDisabled`.
    """
    name = code.rsplit("#", 1)[-1].removeprefix("AWS.SimpleQueueService.")
    if (found := _KMS_SPELLING.fullmatch(name)) is None:
        return name
    return _KMS.get(found[1].lower().replace(".", ""), name)


def label(code: str) -> str:
    """Return the value of the metric label `code`, from a fixed set."""
    name = canonical(code)
    return name if name in KNOWN else OTHER


def is_refusal(status: int, code: str) -> bool:
    """Tell whether an error is a refusal: a retry does not help.

    Args:
        status: of HTTP; 0 for one entry of a batch, which has no status of its own.
        code: the error code of the service; "" when there is none.
    """
    name = canonical(code)
    if name in _ALWAYS:
        return True
    if status in (301, 401, 403):
        return not _TRANSIENT.search(name)
    # A response without a code may come from a proxy or a load balancer.
    return 400 <= status < 500 and status not in (408, 409, 425, 429) and bool(name) and not _TRANSIENT.search(name)


_PERMISSIONS: Mapping[tuple[str, str], tuple[str, str]] = {
    ("s3", "get"): ("s3:GetObject", "kms:Decrypt"),
    ("s3", "put"): ("s3:PutObject", "kms:GenerateDataKey"),
    ("s3", "list"): ("s3:ListBucket", ""),
    ("s3", "delete"): ("s3:DeleteObject", ""),
    ("sqs", "receive"): ("sqs:ReceiveMessage", "kms:Decrypt"),
    ("sqs", "ack"): ("sqs:DeleteMessage", ""),
    ("sqs", "renew"): ("sqs:ChangeMessageVisibility", ""),
    ("sqs", "release"): ("sqs:ChangeMessageVisibility", ""),
    ("sqs", "depth"): ("sqs:GetQueueAttributes", ""),
    ("sqs", "send"): ("sqs:SendMessage", "kms:GenerateDataKey"),
    ("sqs", "publish"): ("sns:Publish", "kms:GenerateDataKey"),
    ("sqs", "put_events"): ("events:PutEvents", ""),
}
"""The permission that each operation needs, and the one for the KMS key when the bucket or the queue is encrypted."""


def permission(service: str, op: str, code: str) -> str:
    """Return the permission that may be missing."""
    own, of_key = _PERMISSIONS[service, op]
    return of_key if of_key and canonical(code) in _KMS.values() else own


def hint(service: str, op: str, code: str) -> str:
    """Return what the operator should check, in one sentence."""
    name = canonical(code)
    if name in _NO_TARGET and op in {"publish", "put_events"}:
        return "the topic or the bus does not exist: check DEQUEUER_EVENTS_TARGET"
    if name in BUCKET:
        return "the bucket does not exist: check DEQUEUER_BUCKET"
    if name in REGION:
        return "the bucket or queue is in another region: check AWS_REGION"
    if name in CREDENTIALS:
        return "check the credentials of the pod: role, key and clock"
    if name in _KMS.values():
        return "check the KMS key: its policy, its state and its region"
    _, of_key = _PERMISSIONS[service, op]
    return "check the role's policy and the resource's policy" + (
        f"; with a KMS key also {of_key} on the key" if of_key else ""
    )
