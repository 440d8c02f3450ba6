"""Calls AWS: repeats what is unavailable, and says of a refusal which call, which code, and which permission."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, ParamSpec, TypeVar

from dequeuer.core.errors import (
    DequeuerError,
    SourceDeniedError,
    SourceGoneError,
    SourceUnavailableError,
    StoreDeniedError,
    StoreUnavailableError,
)
from dequeuer.core.refusal_codes import BUCKET
from dequeuer.core.retry import Backoff, RetryPolicy
from dequeuer.sources.sqs.management import QueueRefusedError

P = ParamSpec("P")
T = TypeVar("T")

RETRIES: Final = RetryPolicy(backoff=Backoff(initial_s=0.5, max_s=8.0, min_share=0.5), max_attempts=6)
"""About 15 s in all: then a person is told."""

PERMISSIONS: Final[Mapping[str, str]] = {
    "GetQueueUrl": "sqs:GetQueueUrl",
    "CreateQueue": "sqs:CreateQueue (and sqs:TagQueue)",
    "GetQueueAttributes": "sqs:GetQueueAttributes",
    "SetQueueAttributes": "sqs:SetQueueAttributes",
    "ListQueueTags": "sqs:ListQueueTags",
    "TagQueue": "sqs:TagQueue",
    "ListObjectsV2": "s3:ListBucket, and whether your account owns the bucket",
    "CreateBucket": "s3:CreateBucket",
    "GetBucketLocation": "s3:GetBucketLocation",
    "GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "GetBucketOwnershipControls": "s3:GetBucketOwnershipControls",
    "PutBucketOwnershipControls": "s3:PutBucketOwnershipControls",
    "GetBucketPolicy": "s3:GetBucketPolicy",
    "PutBucketPolicy": "s3:PutBucketPolicy",
    "GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
}
"""The permission that each call needs."""


class CallFailedError(DequeuerError):
    """A call failed for good, or for as long as it was repeated. Its text is for the person who runs the program."""

    def __init__(self, call: str, resource: str, why: str, *, is_refusal: bool) -> None:
        advice = f"look at the permission {PERMISSIONS[call]}, then " if is_refusal else ""
        super().__init__(f"{call} of {resource}: {why}; {advice}run this again: it goes on")


class _JustCreatedError(Exception):
    """AWS does not know yet what it has just created. Carries the error that says so."""


async def call(
    name: str, resource: str, function: Callable[P, Awaitable[T]], /, *args: P.args, **kwargs: P.kwargs
) -> T:
    """Return the result of a call. `name`: one of `PERMISSIONS`; `resource`: such as `queue work`.

    Raises:
        CallFailedError: it is refused, or it was unavailable each time.
    """

    async def attempt() -> T:
        try:
            return await function(*args, **kwargs)
        except SourceGoneError as error:
            raise _JustCreatedError(str(error)) from error
        except StoreDeniedError as error:
            if error.code in BUCKET:
                raise _JustCreatedError(str(error)) from error
            raise

    try:
        return await RETRIES.call((SourceUnavailableError, StoreUnavailableError, _JustCreatedError), attempt)
    except (SourceUnavailableError, StoreUnavailableError, _JustCreatedError) as error:
        raise CallFailedError(name, resource, str(error), is_refusal=False) from error
    except (SourceDeniedError, StoreDeniedError, QueueRefusedError) as error:
        raise CallFailedError(name, resource, str(error), is_refusal=True) from error
