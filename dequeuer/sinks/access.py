"""Check the permissions on the bucket with calls that change nothing."""

from __future__ import annotations

from collections.abc import Mapping

from dequeuer.core.errors import FatalError, StoreDeniedError, StoreMissingError, StoreUnavailableError
from dequeuer.core.refusal_codes import hint, permission
from dequeuer.core.refusals import HarmlessCall
from dequeuer.core.retry import retry_until_available
from dequeuer.sinks.base import Store

CHECK = ".dequeuer-write-check/result.json"
"""The key, below the prefix of the API, that is checked. It is never written: an upload is created and aborted. No
request id begins with a dot, and policies for `result.json` apply to this key."""


async def prove_access(store: Store, bucket: str, below: str, option: str = "DEQUEUER_BUCKET") -> None:
    """Check that objects below the prefix can be listed and written. Waits while the store is unavailable.

    `option`: the setting that names the bucket.

    Raises:
        FatalError: one of the two is denied.
    """
    try:
        await retry_until_available(StoreUnavailableError, store.list, f"{below}status")
    except StoreDeniedError as error:
        raise _refused("listed (ListObjectsV2)", "list", bucket, below, error, option) from error
    await prove_write(store, bucket, below, option)


async def prove_write(store: Store, bucket: str, below: str, option: str = "DEQUEUER_BUCKET") -> None:
    """Check that objects below the prefix can be written. Waits while the store is unavailable.

    Raises:
        FatalError: it is denied.
    """
    try:
        await retry_until_available(StoreUnavailableError, store.check_write, f"{below}{CHECK}")
    except StoreDeniedError as error:
        raise _refused("written (CreateMultipartUpload)", "put", bucket, below, error, option) from error


def _refused(what: str, op: str, bucket: str, below: str, error: StoreDeniedError, option: str) -> FatalError:  # noqa: PLR0913, PLR0917 - the parts of one text
    wanted, advice = permission("s3", op, error.code), hint("s3", op, error.code)
    return FatalError(
        f"the bucket {bucket} cannot be {what} below {below} ({error}): needs {wanted}; check {option}; {advice}"
    )


def harmless_store_calls(store: Store, below: str) -> Mapping[tuple[str, str], HarmlessCall]:
    """Return harmless calls by operation. Each uses the key that was refused, because policies can differ by key."""

    async def read(key: str) -> None:
        try:
            payload = await store.get(key or f"{below}{CHECK}")
        except StoreMissingError:
            return
        # The first bytes are enough: S3 has decrypted the object for them.
        await anext(payload.chunks, None)
        await payload.close()

    async def look(key: str) -> None:
        await store.list(key or f"{below}status")

    async def write(key: str) -> None:
        await store.check_write(key or f"{below}{CHECK}")

    return {("s3", "get"): read, ("s3", "list"): look, ("s3", "put"): write}
