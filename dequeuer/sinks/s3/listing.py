"""What S3 says in XML of many objects at once: listings, and deletions in bulk."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote_plus

from dequeuer.aws.xml import escape
from dequeuer.core.refusal_codes import is_refusal
from dequeuer.sinks.s3.document import read_document
from dequeuer.sinks.s3.errors import error_code, refused

MAX_LISTING_BYTES = 2 * 1024 * 1024
"""A thousand keys of ordinary length fit several times."""
MAX_KEYS_PER_DELETION = 1000
"""S3 takes no more in one request."""
GONE = "NoSuchKey"


def listed(body: bytes) -> Sequence[str]:
    """Return the keys of a page, in its order. Raises `StoreUnavailableError`."""
    page = read_document(body, "ListBucketResult")
    keys = [key for entry in page.all("Contents") if (key := entry.first("Key"))]
    # A server that was asked to escape the keys says so when it does.
    return [unquote_plus(key) for key in keys] if page.first("EncodingType") == "url" else keys


def deletion(keys: Sequence[str]) -> bytes:
    """Return what asks for the deletion of objects, and for a response that names failures only."""
    entries = "".join([f"<Object><Key>{escape(key)}</Key></Object>" for key in keys])
    namespace = "http://s3.amazonaws.com/doc/2006-03-01/"
    return f'<Delete xmlns="{namespace}"><Quiet>true</Quiet>{entries}</Delete>'.encode()


def check_deleted(body: bytes) -> None:
    """Raise what the worst failure means that a response to `deletion` names; objects already gone are none.

    Raises:
        StoreDeniedError, StoreUnavailableError: some objects are still there, or nobody knows.
    """
    codes = [error_code(error.first("Code")) for error in read_document(body, "DeleteResult").all("Error")]
    failed = [code for code in codes if code != GONE]
    if failed:
        raise refused(200, next((code for code in failed if is_refusal(200, code)), failed[0]))
