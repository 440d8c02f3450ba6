"""Commands that the user can copy and try next."""

from __future__ import annotations

from dequeuer.dev.environment import KEY_ID, REGION, SECRET
from dequeuer.dev.local_aws import BUCKET, JOB_ID
from dequeuer.dev.process_specs import Addresses
from dequeuer.process.ports import HOST

_JSON = "-H 'Content-Type: application/json'"


def after_async(addresses: Addresses, url: str, request_id: str) -> str:
    """Return the commands for an async API; `request_id` is a finished request."""
    return "\n".join(
        (
            "\nTry it, in another terminal:",
            f'  curl -X POST {url} {_JSON} -d \'{{"text": "hello"}}\'',
            f"  curl {url}/{request_id}",
            *_around(addresses),
        )
    )


def after_batch(addresses: Addresses) -> str:
    """Return the commands after a job. The job is over; the container is still running."""
    job = f"{_JSON} -H 'X-Cortex-Job-ID: {JOB_ID}'"
    container = f"http://{HOST}:{addresses.user}"
    return "\n".join(
        (
            "\nThe job is over; the container is still there. What the sidecar sent to it:",
            f"  curl -X POST {container}/ {job} -d '[{{\"item\": 1}}]'",
            f'  curl -X POST {container}/on-job-complete {job} -d \'{{"message":"job_complete"}}\'',
            *_aws(addresses),
            "Ctrl-C ends it.",
        )
    )


def _around(addresses: Addresses) -> tuple[str, ...]:
    return (
        f"  curl {addresses.admin_url}/metrics",
        *_aws(addresses),
        "Ctrl-C ends it.",
    )


def _aws(addresses: Addresses) -> tuple[str, ...]:
    keys = f"AWS_ACCESS_KEY_ID={KEY_ID} AWS_SECRET_ACCESS_KEY={SECRET} AWS_REGION={REGION}"
    return (f"  {keys} aws --endpoint-url {addresses.aws_url} s3 ls --recursive s3://{BUCKET}",)
