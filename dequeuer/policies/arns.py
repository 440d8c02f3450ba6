"""ARNs of queues and buckets, from what settings name them by."""

from __future__ import annotations

import re
from typing import Final
from urllib.parse import urlsplit

from dequeuer.aws.partitions import partition
from dequeuer.core.queue_names import queue_name

_ACCOUNT: Final = re.compile("[0-9]{12}")


def account_of_queue(url: str) -> str:
    """Return the account that a queue's URL names; `*` when it names none."""
    before = urlsplit(url).path.rstrip("/").rpartition("/")[0].rpartition("/")[2]
    return before if _ACCOUNT.fullmatch(before) else "*"


def queue_arn(url: str, region: str) -> str:
    """Return the ARN of a queue. `region`: the one of its URL, else the one of the settings."""
    return f"arn:{partition(region)}:sqs:{region}:{account_of_queue(url)}:{queue_name(url)}"


def bucket_arn(bucket: str, region: str) -> str:
    """Return the ARN of a bucket; that of an access point is taken as it is."""
    return bucket if bucket.startswith("arn:") else f"arn:{partition(region)}:s3:::{bucket}"


def objects_arn(bucket: str, region: str) -> str:
    """Return the start of the ARNs of a bucket's objects, without the slash before their keys."""
    arn = bucket_arn(bucket, region)
    return f"{arn}/object" if ":accesspoint" in arn else arn
