"""What to try next, as lines to copy."""

from __future__ import annotations

from dequeuer.dev.cloud import BUCKET, JOB_ID
from dequeuer.dev.environment import KEY_ID, REGION, SECRET
from dequeuer.dev.parts import Addresses
from dequeuer.dev.ports import HOST

_JSON = "-H 'Content-Type: application/json'"


def of_async(addresses: Addresses, url: str, request_id: str) -> str:
    """Return the lines for an async API, with the id of a request that is finished."""
    return "\n".join(
        (
            "\nTry it, in another terminal:",
            f'  curl -X POST {url} {_JSON} -d \'{{"text": "hello"}}\'',
            f"  curl {url}/{request_id}",
            *_around(addresses),
        )
    )


def of_batch(addresses: Addresses) -> str:
    """Return the lines for a job, which is over: the container is still there."""
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
