"""The lifecycle rule of the bucket, by which S3 deletes results after some days: whether it must be written.

S3 has no request that adds a rule: a PUT replaces the whole configuration. So our rule is merged into the present
configuration, and the rules of others are written back unchanged. Two writers at the same time can still overwrite each
other; all sidecars write the same rule, so between them this does no harm.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol, TypeVar

from dequeuer.core.errors import StoreDeniedError, StoreUnavailableError

RULE_ID = "async-workloads-expiry-policy"
ABORT_AFTER_DAYS = 1
"""Parts of an upload that a killed process could not abort cost money until then."""

ExpiryChange = Literal["unchanged", "written", "may_not_read", "may_not_write", "not_supported"]
MISSING_PERMISSION: Mapping[ExpiryChange, str] = {
    "may_not_read": "s3:GetLifecycleConfiguration",
    "may_not_write": "s3:PutLifecycleConfiguration",
}

_DENIED = frozenset({"AccessDenied", "AccessDeniedException", "403", "AllAccessDisabled"})
_NOT_THERE = "NoSuchLifecycleConfiguration"
# A retry does not help: the store does not support such rules, or refuses the rules that are there.
_NOT_SUPPORTED = frozenset({"InvalidArgument", "InvalidRequest", "MalformedXML", "MethodNotAllowed", "NotImplemented"})
_NOT_SUPPORTED_STATUSES = frozenset({405, 501})
_NO_BUCKET = frozenset({"NoSuchBucket", "404"})

T = TypeVar("T")


class LifecycleRefusedError(Exception):
    """S3 refused to read or to replace the lifecycle configuration.

    Attributes:
        code: error code of S3.
        status: HTTP status; None when it is not known.
    """

    def __init__(self, text: str, *, code: str, status: int | None) -> None:
        super().__init__(text)
        self.code = code
        self.status = status


class LifecycleApi(Protocol[T]):
    """Access to the lifecycle configuration of a bucket. `T` is the form in which the client has it.

    `read` and `write` raise `LifecycleRefusedError` and `StoreUnavailableError`.
    """

    async def read(self) -> T:
        """Return the configuration."""

    def merged(self, found: T | None) -> T | None:
        """Return the configuration with our rule; None when it has the rule already. `found` None: there is none."""

    async def write(self, configuration: T) -> None:
        """Replace the configuration."""


async def merge_rule(api: LifecycleApi[T], bucket: str) -> ExpiryChange:
    """Write our rule unless the configuration has it; return what was done.

    Raises:
        StoreDeniedError: the bucket does not exist.
        StoreUnavailableError: try again later.
    """
    found: T | None = None
    try:
        found = await api.read()
    except LifecycleRefusedError as error:
        if error.code in _DENIED:
            return "may_not_read"
        if _is_not_supported(error):
            return "not_supported"
        if error.code != _NOT_THERE:
            raise _translated(error, bucket) from error
    configuration = api.merged(found)
    if configuration is None:
        return "unchanged"
    try:
        await api.write(configuration)
    except LifecycleRefusedError as error:
        if error.code in _DENIED:
            return "may_not_write"
        if _is_not_supported(error):
            return "not_supported"
        raise _translated(error, bucket) from error
    return "written"


async def has_rule(api: LifecycleApi[T], bucket: str) -> bool:
    """Return whether the configuration has our rule as `merge_rule` writes it. Writes nothing.

    Raises:
        StoreDeniedError: the bucket does not exist, or the configuration may not be read.
        StoreUnavailableError: try again later.
    """
    try:
        found = await api.read()
    except LifecycleRefusedError as error:
        if error.code == _NOT_THERE:
            return False
        if error.code in _DENIED or _is_not_supported(error):
            raise StoreDeniedError(str(error), error.code) from error
        raise _translated(error, bucket) from error
    return api.merged(found) is None


def _is_not_supported(error: LifecycleRefusedError) -> bool:
    return error.code in _NOT_SUPPORTED or error.status in _NOT_SUPPORTED_STATUSES


def _translated(error: LifecycleRefusedError, bucket: str) -> StoreDeniedError | StoreUnavailableError:
    if error.code in _NO_BUCKET:
        return StoreDeniedError(f"the bucket {bucket} does not exist: check DEQUEUER_BUCKET")
    return StoreUnavailableError(str(error))
