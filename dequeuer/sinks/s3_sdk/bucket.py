"""Calls of the SDK's client for one bucket. Refusals of S3 are raised as errors of the core."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from typing import Any, NamedTuple, TypeAlias

from botocore.exceptions import ClientError

from dequeuer.sinks.protection import ObjectProtection
from dequeuer.sinks.s3.errors import StoreError
from dequeuer.sinks.s3_sdk.errors import SDK_ERRORS, code_of, translated

SdkResponse: TypeAlias = Mapping[str, Any]
OpenClient: TypeAlias = Callable[[], AbstractAsyncContextManager[Any]]
IsExpected: TypeAlias = Callable[[int, str], bool]
"""Returns whether a refusal is expected, given its status and error code."""

_EXISTS = frozenset({304, 409, 412})
_CREATIONS = frozenset({"put_object", "create_multipart_upload"})
_PARAMETERS = {
    "x-amz-expected-bucket-owner": "ExpectedBucketOwner",
    "x-amz-server-side-encryption": "ServerSideEncryption",
    "x-amz-server-side-encryption-aws-kms-key-id": "SSEKMSKeyId",
}


def exists(status: int, _code: str) -> bool:
    """Return whether a conditional write was refused because the key exists, or another write is under way."""
    return status in _EXISTS


class Refusal(NamedTuple):
    """How S3 refused an operation: HTTP status, error code, and the SDK's exception."""

    status: int
    code: str
    error: ClientError

    def translated(self) -> StoreError:
        """Return the error for it."""
        return translated(self.error)


class SdkBucket:
    """One bucket, named by its name or an ARN.

    Args:
        name: value of the parameter `Bucket`.
        protection: of new objects.
        open_client: returns the context of an S3 client; entered at the first call.
    """

    def __init__(self, name: str, protection: ObjectProtection, open_client: OpenClient) -> None:
        self._common = {"Bucket": name, **_parameters(protection.common_fields())}
        self._creation = self._common | _parameters(protection.creation_fields())
        self._open_client = open_client
        self._opening = asyncio.Lock()
        self._stack = AsyncExitStack()
        self._client: Any = None

    async def call(
        self, operation: str, *, expected: IsExpected = lambda _status, _code: False, **parameters: object
    ) -> SdkResponse | None:
        """Return the response of one operation, such as `put_object`; None for a refusal that is `expected`.

        Raises:
            StoreMissingError, StoreDeniedError, StoreUnavailableError: S3 refused, or there is no response.
        """
        response = await self.attempt(operation, **parameters)
        if not isinstance(response, Refusal):
            return response
        if expected(response.status, response.code):
            return None
        raise response.translated() from response.error

    async def attempt(self, operation: str, **parameters: object) -> SdkResponse | Refusal:
        """Return the response of one operation, or its refusal.

        Raises:
            StoreDeniedError, StoreUnavailableError: there is no response.
        """
        try:
            client = self._client or await self._opened()
            common = self._creation if operation in _CREATIONS else self._common
            if operation == "create_bucket":  # which does not exist, and has no owner to be compared
                common = {"Bucket": self._common["Bucket"]}
            response: SdkResponse = await getattr(client, operation)(**common, **parameters)
        except ClientError as error:
            return Refusal(*code_of(error), error)
        except SDK_ERRORS as error:
            raise translated(error) from error
        return response

    async def _opened(self) -> Any:
        async with self._opening:
            if self._client is None:
                self._client = await self._stack.enter_async_context(self._open_client())
        return self._client

    async def close(self) -> None:
        """Close all connections."""
        await self._stack.aclose()
        self._client = None


def _parameters(fields: Sequence[tuple[str, str]]) -> dict[str, str]:
    """Return the parameters of the SDK for header fields."""
    return {_PARAMETERS[name]: value for name, value in fields}
