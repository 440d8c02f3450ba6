"""The least environments that are good."""

from __future__ import annotations

ASYNC = {
    "DEQUEUER_API_KIND": "AsyncAPI",
    "DEQUEUER_API_NAME": "my-api",
    "DEQUEUER_QUEUE_URL": "https://sqs.us-west-2.amazonaws.com/123456789012/my-queue",
    "DEQUEUER_CLUSTER_UID": "cluster-1",
    "DEQUEUER_BUCKET": "my-bucket",
}
BATCH = {
    "DEQUEUER_API_KIND": "BatchAPI",
    "DEQUEUER_API_NAME": "my-api",
    "DEQUEUER_QUEUE_URL": "https://sqs.us-west-2.amazonaws.com/123456789012/my-queue.fifo",
    "DEQUEUER_JOB_ID": "69b183ed6bdf3e9b",
}
GATEWAY = {"DEQUEUER_BUCKET": "my-bucket", "DEQUEUER_CLUSTER_UID": "cluster-1"}
