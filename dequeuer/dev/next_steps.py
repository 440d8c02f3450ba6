"""Commands that the user can copy and try next."""

from __future__ import annotations

from dequeuer.dev.addresses import Addresses
from dequeuer.dev.environment import KEY_ID, REGION, SECRET
from dequeuer.dev.local_aws import API_NAME, BUCKET

_JSON = "-H 'Content-Type: application/json'"
END = "Ctrl-C ends it."


def ending(page_url: str | None) -> str:
    """Return the last lines: how it ends, and where the page is, when there is one."""
    return END if page_url is None else f"{END}\npage: {page_url}"


def after_async(addresses: Addresses, url: str, request_id: str) -> str:
    """Return the commands for an async API; `request_id` is a finished request."""
    return "\n".join(
        (
            "\nTry it, in another terminal:",
            f'  curl -X POST {url} {_JSON} -d \'{{"text": "hello"}}\'',
            f"  curl {url}/{request_id}",
            f"  curl {addresses.admin_url}/metrics",
            list_objects(addresses),
        )
    )


def after_batch(addresses: Addresses, url: str, job_id: str) -> str:
    """Return the commands after the sample job, which is over; others can be submitted."""
    submission = '{"workers": 2, "item_list": {"items": [{"item": 1}, {"item": 2}], "batch_size": 1}}'
    return "\n".join(
        (
            "\nTry it, in another terminal:",
            f"  curl -X POST {url} -d '{submission}'",
            f"  dequeuer jobs list {API_NAME} --gateway {addresses.gateway_url}",
            f"  dequeuer jobs status {API_NAME} {job_id} --gateway {addresses.gateway_url}",
            f"  curl '{url}?jobID={job_id}'",
            list_objects(addresses),
        )
    )


def after_realtime(url: str, *, is_sample_container: bool) -> str:
    """Return the commands for a realtime API."""
    more = [f"  curl -N {url}/events", f"  curl -i {url}/any/path?n=1"] if is_sample_container else []
    post = f'  curl -X POST {url} {_JSON} -d \'{{"text": "hello"}}\''
    return "\n".join(("\nTry it, in another terminal:", post, *more))


def list_objects(addresses: Addresses) -> str:
    """Return the command that lists what is in the local S3."""
    keys = f"AWS_ACCESS_KEY_ID={KEY_ID} AWS_SECRET_ACCESS_KEY={SECRET} AWS_REGION={REGION}"
    return f"  {keys} aws --endpoint-url {addresses.aws_url} s3 ls --recursive s3://{BUCKET}"
