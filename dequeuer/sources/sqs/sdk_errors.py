"""Maps the exceptions of the SDK's SQS client to exceptions of the core."""

from __future__ import annotations

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

from dequeuer.core.errors import DequeuerError, SourceDeniedError, SourceUnavailableError, clip, describe_error
from dequeuer.core.events import ErrorKind
from dequeuer.core.refusal_codes import NO_CREDENTIALS
from dequeuer.sources.sqs import errors as sqs_errors


def translate(error: Exception) -> tuple[ErrorKind, DequeuerError]:
    """Return the kind for metrics, and the exception for the caller."""
    if isinstance(error, ClientError):
        details = error.response.get("Error", {})
        code, text = str(details.get("Code", "")), clip(f"{details.get('Code')}: {details.get('Message')}")
        if code.isdigit():
            code = ""  # the response named none: the SDK puts the status there
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return sqs_errors.from_code(code, text, status, sqs_errors.where(error))
    if isinstance(error, NoCredentialsError | PartialCredentialsError):
        return "denied", SourceDeniedError(
            f"{clip(str(error))}: give the pod a role or AWS_ACCESS_KEY_ID", NO_CREDENTIALS
        )
    if isinstance(error, BotoCoreError):
        return "unavailable", SourceUnavailableError(describe_error(error))
    return sqs_errors.translate(error)
