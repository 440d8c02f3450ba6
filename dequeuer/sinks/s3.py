"""S3 objects through obstore. The only module that imports it."""

from __future__ import annotations

import asyncio
import os
import random
import re
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

# obstore starts its runtime on the first call; one thread serves a sidecar and saves a tenth of the CPU.
os.environ.setdefault("TOKIO_WORKER_THREADS", "1")

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotFoundError,
    PermissionDeniedError,
    PreconditionError,
    UnauthenticatedError,
)
from obstore.store import S3Store as ObstoreS3

from dequeuer.credentials import CredentialChain, KeySnapshot
from dequeuer.errors import (
    ConfigurationError,
    KeysMissingError,
    KeysUnavailableError,
    StoreDeniedError,
    StoreMissingError,
    StoreUnavailableError,
    clip,
)
from dequeuer.events import ErrorKind, Observer, StoreCalled, StoreOp
from dequeuer.retrying import FIRST_WAIT_S, persist
from dequeuer.sinks.base import Check, Payload, unchecked
from dequeuer.sinks.upload import PART_BYTES, upload_stream

if TYPE_CHECKING:
    from obstore import GetOptions, GetResult
    from obstore.store import ClientConfig, S3Config, S3Credential

T = TypeVar("T")

UPLOADS_AT_ONCE = 1
"""Each buffers two parts, 10 MiB."""
STREAM_CHUNK_BYTES = 64 * 1024
LIST_LIMIT = 1000
_FORBIDDEN = re.compile(r"status code: 40[13]\b")
LIFE = timedelta(minutes=6)
"""The client asks for keys again five minutes before the end of those it was given: every minute."""
UNTYPED = "binary/octet-stream"
"""What S3 says of an object that was stored without a Content-Type."""
_CLIENT_OPTIONS: ClientConfig = {
    "allow_http": True,  # only an endpoint that says http:// gets it
    "connect_timeout": "5s",
    "read_timeout": "30s",
    # Covers the whole body too: a payload may be read for as long as its container needs.
    "timeout": "24h",
}


def open_store(  # noqa: PLR0913 - one parameter a fact of the connection
    *,
    bucket: str,
    region: str | None,
    endpoint_url: str | None,
    credentials: CredentialChain,
    ca_bundle: str | None,
    observer: Observer,
) -> S3Store:
    """Connect to a bucket. Nothing is sent yet.

    Args:
        bucket: its name.
        region: None leaves it to the environment of the SDK.
        endpoint_url: None means AWS; anything else is addressed by path.
        credentials: asked again every few minutes, so rotated keys are picked up.
        ca_bundle: a PEM file to trust besides the system's roots.
        observer: gets one `StoreCalled` a request.

    Raises:
        ConfigurationError: `ca_bundle` cannot be read.
    """
    # A dot in the name would not fit the certificate of a virtual host.
    config: S3Config = {"virtual_hosted_style_request": endpoint_url is None and "." not in bucket}
    if region:
        config["region"] = region
    if endpoint_url:
        config["endpoint"] = endpoint_url
    options: ClientConfig = {**_CLIENT_OPTIONS}
    if ca_bundle:
        try:
            options["root_certificate"] = Path(ca_bundle).read_bytes()
        except OSError as error:
            raise ConfigurationError([f"AWS_CA_BUNDLE: {clip(ca_bundle)} cannot be read: {error.strerror}"]) from error

    keys = KeySnapshot(credentials)

    def connect(max_retries: int) -> ObstoreS3:
        return ObstoreS3(
            bucket,
            config=config,
            client_options=options,
            retry_config={"max_retries": max_retries, "retry_timeout": timedelta(seconds=120)},
            credential_provider=lambda: _for_client(keys),
        )

    # Calls that can be made again are retried by us, where a lost lease ends it. The parts of a
    # streamed answer cannot be had again from the container, so there the client retries by itself.
    return S3Store(connect(0), connect(8), keys, observer)


def _for_client(keys: KeySnapshot) -> S3Credential:
    # Asked on a thread of the client's own, where no event loop runs: it cannot wait for the chain.
    now = keys.current()
    return {
        "access_key_id": now.access_key,
        "secret_access_key": now.secret_key,
        "token": now.token,
        "expires_at": datetime.now(UTC) + LIFE,
    }


class S3Store:
    """`Fetch` and `Sink` on a bucket. Every call is one attempt, except as its docstring says."""

    def __init__(self, store: ObstoreS3, patient: ObstoreS3, keys: KeySnapshot, observer: Observer) -> None:
        self._store = store
        self._patient = patient
        self._keys = keys
        self._observer = observer
        self._turn = asyncio.Semaphore(UPLOADS_AT_ONCE)

    async def get(self, key: str) -> Payload:
        """Open an object. A stream that breaks is taken up again where it broke, as long as it takes."""
        result = await self._call("get", lambda: obstore.get_async(self._store, key))
        meta, content_type = result.meta, result.attributes.get("Content-Type")
        return Payload(
            size=meta["size"],
            content_type=None if content_type == UNTYPED else content_type,
            chunks=self._stream(key, result),
            modified_at=meta["last_modified"].timestamp(),
        )

    async def _stream(self, key: str, first: GetResult) -> AsyncIterator[bytes]:
        size, e_tag = first.meta["size"], first.meta["e_tag"]
        at, result = 0, first
        while True:
            start = at
            try:
                async for chunk in result.stream(min_chunk_size=STREAM_CHUNK_BYTES):
                    at += len(chunk)
                    yield chunk
            except BaseError as error:
                self._report("get", 0.0, "unavailable", _first_line(error))
            if at >= size:
                return
            if at == start:
                await asyncio.sleep(random.uniform(FIRST_WAIT_S, 1.0))  # noqa: S311 - jitter
            result = await persist(StoreUnavailableError, self._reopen, key, at, e_tag)

    async def _reopen(self, key: str, offset: int, e_tag: str | None) -> GetResult:
        options: GetOptions = {"range": {"offset": offset}}
        if e_tag is not None:
            # Another object under the key by now would splice two payloads.
            options["if_match"] = e_tag
        return await self._call("get", lambda: obstore.get_async(self._store, key, options=options))

    async def list(self, prefix: str) -> Sequence[str]:
        """Return the keys below `prefix`: the first page of them."""

        async def first_page() -> Sequence[str]:
            async for page in obstore.list(self._store, prefix, chunk_size=LIST_LIMIT):
                return [meta["path"] for meta in page]
            return []

        return await self._call("list", first_page)

    async def put(self, key: str, body: bytes, content_type: str) -> None:
        """Write an object with one request."""
        attributes = {"Content-Type": content_type}
        await self._call(
            "put", lambda: obstore.put_async(self._store, key, body, attributes=attributes, use_multipart=False)
        )

    async def create(self, key: str, body: bytes, content_type: str, *, check: Check = unchecked) -> bool:
        """Write an object with one conditional request (`If-None-Match: *`)."""

        async def attempt() -> bool:
            check()
            try:
                await obstore.put_async(
                    self._store, key, body, attributes={"Content-Type": content_type}, mode="create"
                )
            except AlreadyExistsError:
                return False
            return True

        return await self._call("put", attempt)

    async def put_stream(
        self,
        key: str,
        body: AsyncIterator[bytes],
        content_type: str,
        *,
        size: int | None = None,  # noqa: ARG002 - of no use to this client
        check: Check = unchecked,
    ) -> bool:
        """Write in parts of 5 MiB, one under way at a time; each part is retried for up to two minutes."""
        attributes = {"Content-Type": content_type}

        async def upload() -> None:
            check()
            await upload_stream(
                self._with_fresh_keys(body),
                lambda parts: obstore.put_async(
                    self._patient, key, parts, attributes=attributes, chunk_size=PART_BYTES, max_concurrency=1
                ),
            )

        async with self._turn:
            await self._call("put", upload)
        return True

    async def check_write(self, key: str) -> None:
        """Write an empty object beside `key` and delete it: this client begins no upload without a body."""
        beside = f"{key.rpartition('/')[0]}/.dequeuer-write-check"
        await self.put(beside, b"", "text/plain")
        try:
            await self.delete([beside])
        except (StoreDeniedError, StoreUnavailableError):
            return

    async def _with_fresh_keys(self, body: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        async for chunk in body:
            await self._keys.refresh()
            yield chunk

    async def delete(self, keys: Collection[str]) -> None:
        """Delete any number of objects with one request for each thousand."""
        paths = list(keys)
        await self._call("delete", lambda: obstore.delete_async(self._store, paths[0] if len(paths) == 1 else paths))

    async def _call(self, op: StoreOp, call: Callable[[], Awaitable[T]]) -> T:
        started = time.monotonic()
        try:
            await self._keys.refresh()
            answer = await call()
        except (BaseError, OSError, KeysMissingError, KeysUnavailableError) as error:
            kind, translated = _translate(error)
            self._report(op, time.monotonic() - started, kind, "" if kind == "missing" else str(translated))
            raise translated from error
        self._report(op, time.monotonic() - started, None)
        return answer

    def _report(self, op: StoreOp, duration_s: float, error: ErrorKind | None, detail: str = "") -> None:
        self._observer(StoreCalled(op=op, duration_s=duration_s, error=error, detail=detail))


def _translate(error: Exception) -> tuple[ErrorKind, Exception]:  # noqa: PLR0911 - a map, a row a return
    """Map the client's exceptions to ours."""
    if isinstance(error, KeysMissingError):
        return "denied", StoreDeniedError(str(error))
    if isinstance(error, KeysUnavailableError):
        return "unavailable", StoreUnavailableError(str(error))
    if isinstance(error, PreconditionError):
        return "missing", StoreMissingError("the object was replaced while it was being read")
    # The client types the errors of single objects only; for those of a listing there is but the text.
    text = str(error)
    if "<Code>NoSuchBucket</Code>" in text:
        return "denied", StoreDeniedError("the bucket does not exist: check DEQUEUER_BUCKET and the region")
    if isinstance(error, PermissionDeniedError | UnauthenticatedError) or _FORBIDDEN.search(text):
        return "denied", StoreDeniedError(_first_line(error))
    if isinstance(error, FileNotFoundError | NotFoundError):
        return "missing", StoreMissingError(_first_line(error))
    return "unavailable", StoreUnavailableError(_first_line(error))


def _first_line(error: Exception) -> str:
    """Return the fact; the client's texts go on with a dump of itself."""
    return clip(str(error).split("\n", 1)[0])
