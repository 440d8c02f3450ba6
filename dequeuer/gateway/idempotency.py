"""Submissions with an `Idempotency-Key`: the same key and payload are one request, however often they are sent.

The protocol. `key_records` holds the claims of a key; the first decides the id of the request, for ever.

1. The beginning of the payload is read. When that is all of it, its hash is known from here on; that depends on the
   size of the payload alone.
2. The first claim is created with a new id and the state `storing`; S3 decides a race. Whoever is too late reads the
   newest claim:
   - another hash: 422, whatever the state is.
   - `stored`: the id is answered. A large payload is read and compared first.
   - `storing`: 409. The submission is at work.
   - `released`, or `storing` for longer than `TAKE_OVER_S`: the next claim is created, with the same id; S3 decides a
     race here, too. Whoever is too late gets 409.
3. Headers, payload and status are stored and the message is sent, as for an id that may exist already: what is there
   stays, and its message is sent again only while the status is `in_queue`. It is marked as one that may repeat, so
   sidecars look for an outcome first.
4. A payload whose hash was not known in step 2, or in the claim before, is never put into a message, and its object is
   only created, never replaced. It is compared with the hash of the claim before, or with the object that is there.
   Then its hash is written into the claim, before the message is sent.
5. A claim that is old by now may have been taken over: before the message is sent, it must still be the newest.
6. The claim becomes `stored`, and the id is answered. When that write fails, the id is answered all the same.
   A submission that fails writes `released` instead, so that the next one need not wait.

A gateway that is killed after 2 leaves a claim in `storing`. After `TAKE_OVER_S` the next submission goes on with the
same id where it ended; when the message had been sent and still waits, a second one is sent.

Clocks. `at` is compared with the clock of another gateway. A wrong clock takes a claim over too early, or too late. Too
early, two gateways submit the same id with the same payload: at worst its message is sent twice, as SQS itself may do.
On a FIFO queue both have one group and are worked off one after the other, and the second finds the outcome; on a
standard queue two sidecars can receive them at the same moment. No clock makes a second id.

Stores without conditional writes: claims are looked up, then written. Of two submissions within milliseconds both can
get a claim, and run under two ids; later ones find the claim that was written last. Retries that do not overlap are
safe.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import math
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from typing import Final

from dequeuer.core import clock
from dequeuer.core.errors import DequeuerError, StoreMissingError
from dequeuer.gateway.body import MAX_BUFFERED_BYTES, BoundedBody, prepend
from dequeuer.gateway.idempotency_key import KeyInUseError, KeyReusedError
from dequeuer.gateway.key_records import Claim, KeyRecords
from dequeuer.gateway.model import Submission, SubmitResult
from dequeuer.gateway.request_store import DELETE_TIMEOUT_S, RequestStore
from dequeuer.sinks.layout import RequestKeys

TAKE_OVER_S: Final = 300.0
"""More than the calls of a submission take together, and minutes for clocks that differ."""
RECHECK_S: Final = 60.0
"""A claim of this age may be too old by another clock."""

Submit = Callable[[Submission, bool], Awaitable[SubmitResult]]
"""Submits. The flag: the id may exist."""


class PayloadHash:
    """The hash of Content-Type, priority and payload.

    A key has one queue: two messages of one request in two FIFO queues would not wait for each other.
    """

    def __init__(self, content_type: str, priority: str) -> None:
        self.priority = priority
        # No header has a NUL: no Content-Type looks like one with a priority.
        begin = f"{content_type}\0{priority}\n" if priority else f"{content_type}\n"
        self._hash = hashlib.sha256(begin.encode())

    def add(self, chunk: bytes) -> None:
        """Add a part of the payload."""
        self._hash.update(chunk)

    async def through(self, chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """Yield what is read, and add it."""
        async for chunk in chunks:
            self._hash.update(chunk)
            yield chunk

    @property
    def text(self) -> str:
        """Of what was added so far, hexadecimal."""
        return self._hash.hexdigest()


class ClaimedSubmission:
    """What a submission with a claim does on its way: `PayloadWitness` of the gateway."""

    def __init__(  # noqa: PLR0913 - what a submission consists of
        self,
        claim: Claim,
        *,
        records: KeyRecords,
        store: RequestStore,
        payload: PayloadHash,
        keys: RequestKeys,
        is_hashed: bool,
    ) -> None:
        self._store = store
        self.claim = claim
        self.is_created_once = not is_hashed or claim.sha256 is None
        self._records = records
        self._payload = payload
        self._keys = keys

    async def before_message(self, *, existed: bool) -> None:
        """Check that the payload in the store is this one, and that nobody has taken over."""
        if self.is_created_once:
            if self.claim.sha256 is not None:
                if self.claim.sha256 != self._payload.text:
                    raise _reused()
            elif existed:
                await self._compare()
            self.claim = replace(self.claim, sha256=self._payload.text)
            await self._records.write(self.claim)
        if abs(clock.wall() - self.claim.at) > RECHECK_S:
            newest = await self._records.newest()
            if newest is None or newest.by != self.claim.by:
                raise _in_use()

    async def _compare(self) -> None:
        try:
            found = await self._store.open(self._keys.payload)
        except StoreMissingError:
            # It was worked off. Its claim holds no hash, so nobody can say whether this is the same payload.
            raise _reused() from None
        stored = PayloadHash(found.content_type or "", self._payload.priority)
        async for chunk in self._store.chunks(found):
            stored.add(chunk)
        if stored.text != self._payload.text:
            raise _reused()


async def submit_once(  # noqa: PLR0913 - what a submission consists of
    new: Submission,
    *,
    records: KeyRecords,
    store: RequestStore,
    keys_of: Callable[[str], RequestKeys],
    body: BoundedBody,
    may_exist: bool,
    submit: Submit,
) -> SubmitResult:
    """Submit a request, or return the one that has the key. See the protocol in the docstring of the module.

    Args:
        new: the request, with the id that it gets if the key is new.
        records: of its key.
        store: holds its payload.
        keys_of: the keys of a request, by its id.
        body: of `new`.
        may_exist: see `Gateway.submit`.
        submit: stores and enqueues.

    Raises `KeyInUseError`, `KeyReusedError`, and what `submit` raises.
    """
    beginning, is_whole = await body.read_beginning(MAX_BUFFERED_BYTES)
    payload = PayloadHash(new.content_type, new.priority)
    chunks = payload.through(prepend(beginning, body))
    if is_whole:
        payload.add(beginning)
        chunks = prepend(beginning, body)
    sha256 = payload.text if is_whole else None
    claim = Claim(request_id=new.request_id, sha256=sha256, state="storing", at=clock.wall(), by=uuid.uuid4().hex)
    if not await records.create(claim):
        newest = await records.newest()
        if newest is None:
            raise _in_use()
        _check_newest(newest, sha256)
        if newest.state == "stored":
            async for _ in chunks:  # to hash it; and some clients ignore a response that comes before the upload ends
                pass
            if newest.sha256 != payload.text:
                raise _reused()
            return SubmitResult(request_id=newest.request_id, size=body.size, existing_status="stored")
        claim = replace(claim, request_id=newest.request_id, sha256=newest.sha256, number=newest.number + 1)
        if not await records.create(claim):
            raise _in_use()
        may_exist = True
    witness = ClaimedSubmission(
        claim, records=records, store=store, payload=payload, keys=keys_of(claim.request_id), is_hashed=is_whole
    )
    submission = replace(new, request_id=claim.request_id, body=chunks, witness=witness)
    try:
        result = await submit(submission, may_exist)
    except BaseException:
        await _settle(records, replace(witness.claim, state="released"))
        raise
    await _settle(records, replace(witness.claim, state="stored"))
    return result


def _check_newest(newest: Claim, sha256: str | None) -> None:
    """Raise unless the submission may go on after the newest claim. `sha256`: None: not known yet."""
    if sha256 is not None and newest.sha256 not in {None, sha256}:
        raise _reused()
    age_s = clock.wall() - newest.at
    if newest.state == "storing" and abs(age_s) <= TAKE_OVER_S:
        raise _in_use(age_s)


async def _settle(records: KeyRecords, claim: Claim) -> None:
    """Write how a submission ended. If that fails, the next one waits, and goes on with the same id."""
    with contextlib.suppress(DequeuerError, TimeoutError):
        async with asyncio.timeout(DELETE_TIMEOUT_S):
            await records.write(claim)


def _in_use(age_s: float = 0.0) -> KeyInUseError:
    """Return the error for a claim of this age.

    A gateway that was killed cannot be told from one that still stores. So the time until the next submission grows
    with the age of the claim, and ends with it.
    """
    taken_s = math.ceil(max(0.0, age_s))
    left_s = max(1, int(TAKE_OVER_S) + 1 - taken_s)
    text = (
        f"a request with this Idempotency-Key is being stored, since {taken_s} s: send this one again later; "
        f"if the gateway that stores it was killed, that succeeds in {left_s} s"
    )
    return KeyInUseError(text, retry_after_s=min(max(1, taken_s), left_s))


def _reused() -> KeyReusedError:
    return KeyReusedError(
        "this Idempotency-Key belongs to a request with another payload, Content-Type or priority: "
        "send a new key with a new request"
    )
