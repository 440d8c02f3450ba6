"""XML of listings and of DeleteObjects."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import unquote_plus

from dequeuer.aws.signing import query
from dequeuer.aws.xml import escape
from dequeuer.core.errors import StoreUnavailableError
from dequeuer.core.refusal_codes import is_refusal
from dequeuer.formats.go_time import parse_time
from dequeuer.sinks.base import ListedObject, ListedPage
from dequeuer.sinks.s3.document import read_document
from dequeuer.sinks.s3.errors import error_code, refused

MAX_LISTING_BYTES = 2 * 1024 * 1024
"""Several times the size of 1,000 keys of usual length."""
MAX_PAGE_BYTES = 6 * 1024 * 1024
"""1,000 keys of 1,024 bytes fit, each byte escaped: keys of other people's buckets may be of any form."""
MAX_KEYS_PER_DELETION = 1000
"""Limit of S3 for one request."""
GONE = "NoSuchKey"


def listed(body: bytes) -> Sequence[str]:
    """Return the keys of a page of a listing, in order. Raises `StoreUnavailableError`."""
    page = read_document(body, "ListBucketResult")
    keys = [key for entry in page.all("Contents") if (key := entry.first("Key"))]
    # The request asks for escaped keys; the response says whether they are.
    return [unquote_plus(key) for key in keys] if page.first("EncodingType") == "url" else keys


def page_query(prefix: str, after: str, token: str) -> str:
    """Return the query of a request for a page. `after`, `token`: see `Listing`; "" leaves them out."""
    fields = {"list-type": "2", "prefix": prefix, "encoding-type": "url"}
    if after:
        fields["start-after"] = after
    if token:
        fields["continuation-token"] = token
    return query(fields.items())


def page_of(body: bytes) -> ListedPage:
    """Return a page of a listing. Raises `StoreUnavailableError`."""
    page = read_document(body, "ListBucketResult")
    is_escaped = page.first("EncodingType") == "url"
    objects = []
    for entry in page.all("Contents"):
        key, size = entry.first("Key"), entry.first("Size") or ""
        if not key or not size.isdecimal():
            raise StoreUnavailableError("the listing of S3 has an object without key or size")
        objects.append(
            ListedObject(
                key=unquote_plus(key) if is_escaped else key,
                size=int(size),
                e_tag=entry.first("ETag") or "",
                modified_at=_seconds(entry.first("LastModified")),
            )
        )
    return ListedPage(
        objects=objects, next_token=next_token(page.first("IsTruncated") == "true", page.first("NextContinuationToken"))
    )


def _seconds(text: str | None) -> float:
    """Return a time of a listing in seconds since the epoch; 0 when it cannot be read."""
    try:
        return parse_time(text or "") / 1e9
    except ValueError:
        return 0.0


def next_token(is_truncated: bool, token: object) -> str:  # noqa: FBT001 - a fact of the response
    """Return the token of the next page; "" after the last one. Raises `StoreUnavailableError`."""
    if not is_truncated:
        return ""
    if not isinstance(token, str) or not token:
        raise StoreUnavailableError("the listing of S3 is cut, and does not say how it goes on")
    return token


def deletion(keys: Sequence[str]) -> bytes:
    """Return the body of DeleteObjects in quiet mode: the response names only failures."""
    entries = "".join([f"<Object><Key>{escape(key)}</Key></Object>" for key in keys])
    namespace = "http://s3.amazonaws.com/doc/2006-03-01/"
    return f'<Delete xmlns="{namespace}"><Quiet>true</Quiet>{entries}</Delete>'.encode()


def check_deleted(body: bytes) -> None:
    """Raise the error for the worst failure in a response to `deletion`. Missing objects are not failures.

    Raises:
        StoreDeniedError, StoreUnavailableError: some objects may still be there.
    """
    check_deletion_errors(
        [error_code(error.first("Code")) for error in read_document(body, "DeleteResult").all("Error")]
    )


def check_deletion_errors(codes: Sequence[str]) -> None:
    """Raise the error for the worst of these error codes of single objects. Missing objects are not failures.

    Raises:
        StoreDeniedError, StoreUnavailableError: some objects may still be there.
    """
    failed = [code for code in codes if code != GONE]
    if failed:
        raise refused(200, next((code for code in failed if is_refusal(200, code)), failed[0]))
