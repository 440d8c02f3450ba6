"""The records of idempotency keys in the store: which request belongs to a key, and who is submitting it.

Objects are only created, and each is written again by its creator alone, so no write can undo that of another gateway:

- `_keys/<digest>`: the first claim of the key. It decides the id, for good: nothing deletes it but the bucket's rule.
- `_keys/<digest>.<number>`: a claim of the same id after that, when the claim before it was given up or is too old.
  Numbers are counted down from `_LAST`, so the newest claim is on the first page of a listing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Final, Literal, get_args

from dequeuer.formats.json_reading import object_or_none
from dequeuer.formats.request_id import is_request_id
from dequeuer.gateway.errors import BusyError
from dequeuer.gateway.request_store import RequestStore
from dequeuer.sinks.layout import ApiKeys

State = Literal["storing", "released", "stored"]
"""storing: its gateway is at work, or was killed. released: the submission failed. stored: the id was answered."""
MAX_RECORD_BYTES: Final = 4096
_LAST: Final = 999_999
_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """A claim of a key.

    Attributes:
        request_id: of the request, the same in all claims of a key.
        sha256: of Content-Type, priority and payload; None while a large payload is being stored.
        state: see `State`.
        at: when it was made, seconds since the epoch, by the clock of its gateway.
        by: random text of the submission that made it.
        number: 0 for the first claim.
    """

    request_id: str
    sha256: str | None
    state: State
    at: float
    by: str
    number: int = 0


class KeyRecords:
    """The claims of one key. Raises `BusyError` when the store cannot be used."""

    def __init__(self, store: RequestStore, keys: ApiKeys, digest: str) -> None:
        self._store = store
        self._first = keys.idempotency_key(digest)

    async def create(self, claim: Claim) -> bool:
        """Make a claim; return whether it is ours. Of several gateways, one can create a number."""
        if await self._store.create(self._key(claim.number), _encode(claim), _JSON):
            return True
        # An attempt whose response was lost may have created it.
        found = await self._read(claim.number)
        return found is not None and found.by == claim.by

    async def write(self, claim: Claim) -> None:
        """Write a claim again. Only for its creator."""
        await self._store.put(self._key(claim.number), _encode(claim), _JSON)

    async def newest(self) -> Claim | None:
        """Return the newest claim; None when there is none."""
        keys = await self._store.list(self._first)
        later = sorted(key for key in keys if key != self._first)
        return await self._read(_LAST + 1 - int(later[0].rpartition(".")[2]) if later else 0)

    def _key(self, number: int) -> str:
        if number > _LAST:
            message = "the Idempotency-Key was tried too often: submit with another one"
            raise BusyError(message)
        return f"{self._first}.{_LAST + 1 - number:06d}" if number else self._first

    async def _read(self, number: int) -> Claim | None:
        content = await self._store.read_small(self._key(number), MAX_RECORD_BYTES)
        # Nothing: another write is under way, or the bucket's rule has just deleted it.
        return _decode(content, number) if content else None


def _encode(claim: Claim) -> bytes:
    document = {"id": claim.request_id, "sha256": claim.sha256, "state": claim.state, "at": claim.at, "by": claim.by}
    return json.dumps(document).encode()


def _decode(content: bytes, number: int) -> Claim:
    """Return the claim. Raises `BusyError` for what is none: its request is not known, so nothing may be submitted."""
    document = object_or_none(content)
    if document is not None:
        request_id, sha256, at, by = (document.get(name) for name in ("id", "sha256", "at", "by"))
        state: State | None = next((one for one in get_args(State) if one == document.get("state")), None)
        if (
            isinstance(request_id, str)
            and is_request_id(request_id)
            and (sha256 is None or isinstance(sha256, str))
            and state is not None
            and isinstance(at, int | float)
            and isinstance(by, str)
        ):
            return Claim(request_id=request_id, sha256=sha256, state=state, at=at, by=by, number=number)
    message = "the record of the Idempotency-Key cannot be read: submit with another key"
    raise BusyError(message)
