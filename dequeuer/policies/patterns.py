"""The ARNs that needs are about, with names in angle brackets: `filling.py` puts real ones in their place."""

from __future__ import annotations

from typing import Final

QUEUE: Final = "arn:aws:sqs:*:*:<queue>"
DEAD_LETTERS: Final = "arn:aws:sqs:*:*:<dead-letters>"
WEBHOOK_QUEUE: Final = "arn:aws:sqs:*:*:<webhooks>"
EVENTS_QUEUE: Final = "arn:aws:sqs:*:*:<events>"
JOB_QUEUES: Final = "arn:aws:sqs:*:*:cx_*"
"""The queues of all jobs; `jobs/queue.py` names them."""
TOPIC: Final = "<topic>"
BUS: Final = "<bus>"
KEY: Final = "<key>"
BUCKET: Final = "arn:aws:s3:::<bucket>"
FILES: Final = "arn:aws:s3:::<files>"
OUTPUT: Final = "arn:aws:s3:::<output>"
PAYLOADS: Final = "arn:aws:s3:::<payloads>"
REQUESTS: Final = f"{BUCKET}/<cluster-uid>/workloads/<api>/*"
ALL_REQUESTS: Final = f"{BUCKET}/<cluster-uid>/workloads/*"
WEBHOOK_RECORDS: Final = f"{BUCKET}/<cluster-uid>/workloads/*/_webhooks/*"
JOBS: Final = f"{BUCKET}/<cluster-uid>/jobs/*"
QUEUE_RESULTS: Final = f"{BUCKET}/<prefix>/*"
OUTPUT_OBJECTS: Final = f"{OUTPUT}/<prefix>/*"
