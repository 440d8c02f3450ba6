"""The options of the enqueuer."""

from __future__ import annotations

from dequeuer.settings.option import option, settings_class
from dequeuer.settings.parsers import PORT
from dequeuer.settings.shared import SharedSettings
from dequeuer.settings.text_parsers import API_NAME, BUCKET, HOSTS, JOB_ID, QUEUE_URL, REGION


@settings_class
class EnqueuerSettings(SharedSettings):
    """Fills the queue of a batch job from its submission in S3. Killed and started again, it goes on.

    Usage:
      dequeuer enqueue [flags]

    Exit status 0: every batch is in the queue. 1: the job cannot be enqueued. 143: stopped by SIGTERM; start it again.
    """

    bucket: str = option(BUCKET, "DEQUEUER_BUCKET", "CORTEX_BUCKET", flag="bucket", required_for=("enqueuer",))
    """S3 bucket of the job's submission."""
    region: str | None = option(
        REGION, "CORTEX_REGION", flag="region", default=None, unset="`AWS_REGION`, else that of the queue's URL"
    )
    """AWS region of queue and bucket; wins over `AWS_REGION`. Buckets of files may be anywhere."""
    queue_url: str = option(QUEUE_URL, "DEQUEUER_QUEUE_URL", flag="queue", required_for=("enqueuer",))
    """URL of the job's SQS queue."""
    api_name: str = option(API_NAME, "DEQUEUER_API_NAME", flag="apiName", required_for=("enqueuer",))
    """Name of the batch API."""
    job_id: str = option(JOB_ID, "DEQUEUER_JOB_ID", flag="jobID", required_for=("enqueuer",))
    """Id of the job."""
    admin_hosts: tuple[str, ...] = option(HOSTS, "DEQUEUER_ADMIN_HOST", default="0.0.0.0,::")
    """Addresses that the admin server (health, metrics) listens on."""
    admin_port: int = option(PORT, "DEQUEUER_ADMIN_PORT", flag="admin-port", default="15000")
    """Port of the admin server."""
