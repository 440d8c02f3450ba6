"""The settings of a bucket as a whole, in a form that both clients share: the leaves of their documents."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, Protocol, TypeAlias

from dequeuer.core.errors import StoreDeniedError

BucketSetting = Literal["location", "publicAccessBlock", "encryption", "ownershipControls", "policy"]
"""Named as in the query of the requests of S3."""

Facts: TypeAlias = Mapping[str, str]
"""The values of a setting by the names of their elements, such as `SSEAlgorithm`; `true` and `false` for switches.

That of a location is `LocationConstraint`, that of a policy is `Policy`, a JSON text.
"""

NOT_SET: Final[Mapping[BucketSetting, str]] = {
    "publicAccessBlock": "NoSuchPublicAccessBlockConfiguration",
    "encryption": "ServerSideEncryptionConfigurationNotFoundError",
    "ownershipControls": "OwnershipControlsNotFoundError",
    "policy": "NoSuchBucketPolicy",
}
"""The error codes by which S3 says that a setting was never made."""
NO_BUCKET: Final = "NoSuchBucket"
OWN_BUCKET: Final = "BucketAlreadyOwnedByYou"
TAKEN: Final = "BucketAlreadyExists"
FIRST_REGION: Final = "us-east-1"
"""The region of a bucket whose location is empty; a bucket that is created there must name none."""
_OLD_NAMES: Final[Mapping[str, str]] = {"": FIRST_REGION, "EU": "eu-west-1"}
"""https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetBucketLocation.html"""


def region_of(location: str) -> str:
    """Return the region that a location of S3 means."""
    return _OLD_NAMES.get(location, location)


class BucketCreation(Protocol):
    """Finds and creates one bucket. Raises `StoreDeniedError`, `StoreUnavailableError`."""

    async def find(self) -> bool | None:
        """Return whether the bucket has objects; None when it does not exist."""

    async def create(self, region: str) -> None:
        """Create the bucket. One that the account owns is no error; one of another account is `StoreDeniedError`."""


class BucketSettings(BucketCreation, Protocol):
    """Reads and writes the settings of one bucket. Raises `StoreDeniedError`, `StoreUnavailableError`."""

    async def read(self, setting: BucketSetting) -> Facts | None:
        """Return a setting; None when it was never made."""

    async def write(self, setting: BucketSetting, facts: Facts) -> None:
        """Replace a setting."""


def taken() -> StoreDeniedError:
    """Return the error for a bucket of another account."""
    return StoreDeniedError(f"{TAKEN}: another account has a bucket of this name; choose another name", TAKEN)
