"""Paths of objects in S3, as people write them: `s3://bucket/key`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from dequeuer.core.errors import DequeuerError

INVALID_S3_PATH = "aws.invalid_s3_path"
"""The code of Cortex for a text that is no such path."""
OUTPUT_PATH: Final = r"s3://[ -~]{3,900}"
"""What a path for results looks like: it becomes a setting of the sidecar, and S3 takes keys of up to 1,024 bytes."""
_EXAMPLE = "s3://cortex-examples/pytorch/iris-classifier/weights.pth"
# The bucket becomes part of a host name, so it is not taken from outside unchecked.
_PATH = re.compile(r"s3://([A-Za-z0-9][A-Za-z0-9._-]{0,254})(?:/(.*))?", re.DOTALL)


class InvalidS3PathError(DequeuerError):
    """The text is not the path of an object or of a prefix in S3. Its text is that of Cortex."""

    def __init__(self, text: str) -> None:
        super().__init__(f'"{text}" is not a valid s3 path (e.g. {_EXAMPLE} is a valid s3 path)')


@dataclass(frozen=True, slots=True)
class S3Path:
    """A key, or the prefix of keys, in a bucket. An empty key is the prefix of all keys."""

    bucket: str
    key: str

    def __str__(self) -> str:
        """Return the path with the key exactly as stored: `a//b` stays `a//b`."""
        return f"s3://{self.bucket}/{self.key}"


def parse_s3_path(text: str) -> S3Path:
    """Return the path that is written as `s3://bucket`, `s3://bucket/` or `s3://bucket/key`.

    Raises:
        InvalidS3PathError: it is none.
    """
    found = _PATH.fullmatch(text)
    if found is None:
        raise InvalidS3PathError(text)
    return S3Path(found[1], found[2] or "")
