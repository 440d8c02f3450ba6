"""Listings over the SDK's client, which requests escaped keys and decodes them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from dequeuer.core.errors import StoreUnavailableError
from dequeuer.sinks.base import ListedObject, ListedPage
from dequeuer.sinks.s3.listing import next_token
from dequeuer.sinks.s3_sdk.bucket import SdkBucket, SdkResponse

_OF_A_LISTING = frozenset({"Contents", "IsTruncated", "KeyCount", "MaxKeys", "Name"})


async def keys_below(bucket: SdkBucket, prefix: str) -> Sequence[str]:
    """Return the first page of keys below `prefix`."""
    page = await _page(bucket, Prefix=prefix)
    return [entry["Key"] for entry in page.get("Contents", ()) if entry.get("Key")]


async def list_page(bucket: SdkBucket, prefix: str, after: str, token: str) -> ListedPage:
    """Return a page of the objects below `prefix`; see `Listing`."""
    where = {"StartAfter": after} if after else {}
    if token:
        where["ContinuationToken"] = token
    page = await _page(bucket, Prefix=prefix, **where)
    objects = [
        ListedObject(
            key=entry["Key"],
            size=entry["Size"],
            e_tag=entry.get("ETag", ""),
            modified_at=modified.timestamp() if isinstance(modified := entry.get("LastModified"), datetime) else 0.0,
        )
        for entry in page.get("Contents", ())
        if entry.get("Key") and isinstance(entry.get("Size"), int)
    ]
    if len(objects) < len(page.get("Contents", ())):
        raise StoreUnavailableError("the listing of S3 has an object without key or size")
    return ListedPage(
        objects=objects, next_token=next_token(bool(page.get("IsTruncated")), page.get("NextContinuationToken"))
    )


async def _page(bucket: SdkBucket, **parameters: Any) -> SdkResponse:
    page = await bucket.call("list_objects_v2", **parameters) or {}
    if not page.keys() & _OF_A_LISTING:
        # The SDK reads any other document as an empty listing: results would be taken for missing.
        raise StoreUnavailableError("the response of S3 is not a listing")
    return page
