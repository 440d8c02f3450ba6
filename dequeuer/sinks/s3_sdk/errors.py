"""Maps the exceptions of the SDK's S3 client to errors of the core."""

from __future__ import annotations

from aiohttp import ClientError as HttpClientError
from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError
from botocore.parsers import ResponseParserError

from dequeuer.core.errors import (
    CredentialsMissingError,
    CredentialsUnavailableError,
    StoreDeniedError,
    StoreUnavailableError,
    clip,
    describe_error,
)
from dequeuer.core.refusal_codes import NO_CREDENTIALS
from dequeuer.sinks.s3.errors import StoreError, error_code, refused

SDK_ERRORS = (
    BotoCoreError,
    ClientError,
    HttpClientError,
    CredentialsMissingError,
    CredentialsUnavailableError,
    OSError,  # includes timeouts
    ResponseParserError,
    ValueError,  # a time or a number in the response that is none
)
"""Raised by calls of the SDK's client when AWS refuses, cannot be reached, or sends an invalid response."""


def code_of(error: ClientError) -> tuple[int, str]:
    """Return HTTP status and error code of a refusal. The code is empty when S3 sent none."""
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
    code = error_code(str(error.response.get("Error", {}).get("Code", "")))
    # For a response without a body the SDK uses the status as the code.
    return (status if isinstance(status, int) else 0), ("" if code.isdigit() else code)


def translated(error: Exception) -> StoreError:
    """Return the error for one of `SDK_ERRORS`."""
    if isinstance(error, ClientError):
        return refused(*code_of(error))
    if isinstance(error, CredentialsMissingError | NoCredentialsError | PartialCredentialsError):
        return StoreDeniedError(clip(str(error)), NO_CREDENTIALS)
    if isinstance(error, CredentialsUnavailableError):
        return StoreUnavailableError(clip(str(error)))
    return StoreUnavailableError(describe_error(error))
