"""The queue of a batch job: its name, its attributes and its tags, as Cortex has them."""

from __future__ import annotations

import hashlib
import json
from typing import Final

from dequeuer.jobs.spec import JobSpec

VISIBILITY_TIMEOUT_S: Final = 60
RETENTION_S: Final = 14 * 24 * 3600
"""The longest that SQS has. With its default of four days a slow or paused job would lose batches without a word."""
MAX_NAME_CHARS: Final = 80
_SUFFIX = ".fifo"


def queue_name(cluster_name: str, spec: JobSpec) -> str:
    """Return the name of the job's queue: every controller of the cluster finds the same one."""
    cluster = hashlib.sha256(cluster_name.encode()).hexdigest()[:8]
    start = f"cx_{cluster}_b_{spec.api_name}_"
    room = MAX_NAME_CHARS - len(start) - len(_SUFFIX)
    # Ids of Cortex and of this gateway fit. Others may be as long as a DNS label.
    job = spec.job_id if len(spec.job_id) <= room else hashlib.sha256(spec.job_id.encode()).hexdigest()[:room]
    return f"{start}{job}{_SUFFIX}"


def queue_attributes(spec: JobSpec) -> dict[str, str]:
    """Return the attributes that the job's queue is created with."""
    attributes = {
        "FifoQueue": "true",
        "VisibilityTimeout": str(VISIBILITY_TIMEOUT_S),
        "MessageRetentionPeriod": str(RETENTION_S),
    }
    if (dead_letters := spec.dead_letter_queue) is not None:
        policy = {"deadLetterTargetArn": dead_letters.arn, "maxReceiveCount": str(dead_letters.max_receive_count)}
        attributes["RedrivePolicy"] = json.dumps(policy, separators=(",", ":"))
    return attributes


def queue_tags(cluster_name: str, spec: JobSpec) -> dict[str, str]:
    """Return the tags of the job's queue."""
    return {
        "cortex.dev/cluster-name": cluster_name,
        "apiName": spec.api_name,
        "apiID": spec.api_id,
        "jobID": spec.job_id,
    }
