"""Whether a permission is there, as far as a call without effect shows it."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import Final, TypeAlias

from dequeuer.check.aws_access import in_time
from dequeuer.core.errors import (
    DequeuerError,
    LeaseLostError,
    SourceDeniedError,
    SourceGoneError,
    StoreDeniedError,
    StoreMissingError,
    clip,
)

ALLOWED_TEXT: Final = "allowed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """The permission is there, or not needed now. `text`: which of the two."""

    text: str = ALLOWED_TEXT


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """The permission is missing. `text`: what the service said."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAsked:
    """This was not looked at, or the service did not answer.

    Attributes:
        reason: in words.
        can_be_simulated: whether only the call is missing: the resource is there.
    """

    reason: str
    can_be_simulated: bool = False


PermissionResult: TypeAlias = Allowed | Refused | NotAsked


async def result_of(call: Awaitable[object]) -> PermissionResult:
    """Make a call that is about nothing that exists. That it finds nothing shows that it is allowed."""
    try:
        await in_time(call)
    except (LeaseLostError, SourceGoneError, StoreMissingError):
        return Allowed()
    except (SourceDeniedError, StoreDeniedError) as error:
        return Refused(text=clip(str(error)))
    except DequeuerError as error:
        return NotAsked(reason=clip(str(error)))
    except TimeoutError:
        return NotAsked(reason="no response in time")
    return Allowed()
