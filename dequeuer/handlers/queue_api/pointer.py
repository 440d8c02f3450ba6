"""Pointers of the Amazon SQS extended client libraries: the body names an object of S3 that has the real body."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from dequeuer.core.errors import InvalidInputError
from dequeuer.formats.json_reading import json_or_none

CLASSES: Final = ("software.amazon.payloadoffloading.PayloadS3Pointer", "com.amazon.sqs.javamessaging.MessageS3Pointer")
SIZE_ATTRIBUTES: Final = ("ExtendedPayloadSize", "SQSLargePayloadSize")
"""The attribute of a pointer, of the present and of older libraries. They take no other message for a pointer."""

MAX_POINTER_CHARS: Final = 8192
MAX_KEY_BYTES: Final = 1024


class Pointer(NamedTuple):
    """An object of S3."""

    bucket: str
    key: str


def is_pointer(attributes: Mapping[str, str]) -> bool:
    """Tell whether a message is a pointer."""
    return any(name in attributes for name in SIZE_ATTRIBUTES)


def pointer_of(body: str) -> Pointer:
    """Return the object that a body names.

    Raises:
        InvalidInputError: it names none, or its key could mean another object to some servers.
    """
    match json_or_none(body) if len(body) <= MAX_POINTER_CHARS else None:
        case [str(name), {"s3BucketName": str(bucket), "s3Key": str(key)}] if name in CLASSES:
            pass
        case _:
            raise InvalidInputError("the message is no pointer of the extended client, but has the attribute of one")
    try:
        size = len(key.encode())
    except UnicodeEncodeError:
        size = 0
    if not 0 < size <= MAX_KEY_BYTES:
        raise InvalidInputError("the key that the message points to is not the key of an object")
    if not {".", ".."}.isdisjoint(key.split("/")):
        # A proxy in front of a store may resolve them: then the request would read another bucket.
        raise InvalidInputError('the key that the message points to has a part "." or ".."')
    return Pointer(bucket, key)
