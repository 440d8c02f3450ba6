"""Which controller acts for a job, agreed on through objects of S3, without comparing clocks.

`owner/<epoch>` is created once, by the controller that owns the job from then on. It rewrites its own object regularly.
A controller that has seen the newest object unchanged for the whole timeout, by its own clock, creates the next epoch.
An owner that could not rewrite its object for two thirds of the timeout stops acting until it owns the job again.

A rewrite that S3 applies late can hide for a moment that an epoch was lost. So two owners are possible, for less than a
timeout, and every action on a job is one that may be done twice. A rewrite that was given up, and that S3 applies after
the end of the job, stays: nobody looks at it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Final, NamedTuple

from dequeuer.controller.objects import STORE_ERRORS, JobObjects, ObjectTooLargeError
from dequeuer.core.errors import DequeuerError
from dequeuer.formats.go_json import decode_object

EPOCH_DIGITS: Final = 8
_FOLDER: Final = "owner/"
_MIN_PAUSE_S: Final = 0.001
"""A shorter one may not move the clock: the claim would neither be renewed nor end."""


class OwnershipLostError(DequeuerError):
    """Another controller may own the job by now: do nothing more for it, and end its processes here."""


class _Seen(NamedTuple):
    epoch: int
    text: bytes | None


class Ownership:
    """The claim of this controller to one job.

    Args:
        objects: of jobs.
        prefix: of the job's objects.
        owner_id: unique for each controller.
        timeout_s: after which the owner counts as dead.
    """

    def __init__(self, objects: JobObjects, prefix: str, owner_id: str, timeout_s: float) -> None:
        self._objects = objects
        self._folder = prefix + _FOLDER
        self._owner_id = owner_id
        self._timeout_s = timeout_s
        self._clock: Callable[[], float] = asyncio.get_running_loop().time
        self._seen: _Seen | None = None
        self._seen_at = 0.0
        self._valid_until = 0.0
        self._is_forgotten = False
        self._may_have_claimed = False
        """A claim may be stored that this controller does not know of: the response to its creation was lost."""
        self._beating = asyncio.Lock()
        """Held while the object is rewritten: a rewrite that is under way would create it anew after `forget`."""
        self._beat = 0
        """Of the last sign of life. It only grows in an epoch: a text that is the same again looks like silence."""
        self.epoch = 0
        """Of this controller; 0: it does not own the job."""

    @property
    def is_held(self) -> bool:
        """Whether this controller may act for the job now."""
        return self.epoch > 0 and self._clock() < self._valid_until

    def check(self) -> None:
        """Raise `OwnershipLostError` unless this controller may act. Call it directly before each action."""
        if not self.is_held:
            raise OwnershipLostError("the job may belong to another controller")

    async def try_acquire(self) -> bool:
        """Claim the job if it is free, or if its owner has been silent for the timeout; return whether it is ours."""
        asked_at = self._clock()
        seen = await self._newest()
        if seen != self._seen:
            self._seen, self._seen_at = seen, self._clock()
        owner_id, is_released, beat = _parse(seen.text)
        is_silent = asked_at - self._seen_at >= self._timeout_s
        if owner_id == self._owner_id and not is_released:
            # The response to our creation was lost, or the claim has ended and nobody has followed. Somebody may be
            # about to, who has seen it silent: it is ours after a sign of life, when there is no newer one then.
            asked_at, self._may_have_claimed, self._beat = self._clock(), True, beat + 1
            await self._objects.put(self._key(seen.epoch), self._text())
            if await self._newest_epoch() == seen.epoch:
                self._hold(seen.epoch, asked_at)
        elif seen.epoch == 0 or is_released or is_silent:
            asked_at, self._may_have_claimed = self._clock(), True
            self._beat = 0
            if await self._objects.create(self._key(seen.epoch + 1), self._text()):
                self._hold(seen.epoch + 1, asked_at)
        return self.is_held

    async def keep(self) -> None:
        """Renew the claim until it is lost, then return. Cancel it to end it earlier."""
        pause_s = self._timeout_s / 3
        while self.is_held:
            await asyncio.sleep(min(pause_s, max(_MIN_PAUSE_S, self._valid_until - self._clock())))
            asked_at = self._clock()
            self._beat += 1
            if self._is_forgotten:
                continue
            try:
                self.check()
                async with asyncio.timeout(max(0.0, self._valid_until - asked_at)), self._beating:
                    await self._objects.put(self._key(self.epoch), self._text())
                    newest = await self._newest_epoch()
            except OwnershipLostError:
                break
            except (*STORE_ERRORS, TimeoutError):
                pause_s = self._timeout_s / 12
                continue
            if newest > self.epoch:
                break
            self._valid_until = asked_at + self._timeout_s * 2 / 3
            pause_s = self._timeout_s / 3
        self._lose()

    async def release(self) -> None:
        """Let another controller have the job at once. Nothing of this one may act for it any more."""
        if self.is_held:
            epoch = self.epoch
            self._lose()
            if not self._is_forgotten:
                await self._objects.put(self._key(epoch), self._text(is_released=True))

    async def forget(self) -> None:
        """Delete the traces of all claims, at the end of the job. This one holds as long as before."""
        self._is_forgotten = True
        async with self._beating:
            await self._objects.delete(await self._objects.keys(self._folder))

    async def withdraw(self) -> None:
        """Delete what may be there of our claims to a job that has ended without us."""
        if self._may_have_claimed:
            await self.forget()

    def _hold(self, epoch: int, asked_at: float) -> None:
        self.epoch = epoch
        self._valid_until = asked_at + self._timeout_s * 2 / 3

    def _lose(self) -> None:
        self.epoch, self._valid_until, self._seen = 0, 0.0, None

    async def _newest(self) -> _Seen:
        epoch = await self._newest_epoch()
        try:
            return _Seen(epoch, await self._objects.read(self._key(epoch)) if epoch else None)
        except ObjectTooLargeError:
            return _Seen(epoch, None)

    async def _newest_epoch(self) -> int:
        names = [key.removeprefix(self._folder) for key in await self._objects.keys(self._folder)]
        return max((int(name) for name in names if name.isascii() and name.isdecimal()), default=0)

    def _key(self, epoch: int) -> str:
        return f"{self._folder}{epoch:0{EPOCH_DIGITS}}"

    def _text(self, *, is_released: bool = False) -> bytes:
        return json.dumps({"owner": self._owner_id, "beat": self._beat, "released": is_released}).encode()


def _parse(text: bytes | None) -> tuple[str, bool, int]:
    """Return the owner, whether it has released the job, and the number of its last sign of life.

    Text of others than us counts as that of a live owner.
    """
    try:
        fields = decode_object(text or b"{}")
        return str(fields.get("owner", "")), fields.get("released") is True, int(str(fields.get("beat", 0)))
    except ValueError:
        return "", False, 0
