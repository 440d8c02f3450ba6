"""The objects with the results of a job, batch by batch, as listings show them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from dequeuer.sinks.base import ListedObject, Listing
from dequeuer.sinks.layout import OutputKeys

Folder: TypeAlias = Literal["results", "errors"]
"""What the lines of its objects are."""
FOLDERS: Final[tuple[Folder, ...]] = ("results", "errors")
_name = re.compile(r"([0-9]{8,15})(?:-([1-9][0-9]{0,3}))?\.jsonl").fullmatch


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultObject:
    """An object with lines of one batch.

    Attributes:
        folder: what the lines are.
        batch: index of the batch in the job, as its name has it: with leading zeros.
        part: 0, or how often the items were tried before.
        listed: the object.
    """

    folder: Folder
    batch: str
    part: int
    listed: ListedObject


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultBatch:
    """A batch of which there are objects.

    Attributes:
        index: of the batch in the job.
        objects: by part; of one part first the results, then the errors.
    """

    index: int
    objects: Sequence[ResultObject]

    @property
    def is_recorded(self) -> bool:
        """Whether it is decided which items of the batch have a result."""
        return any(one.folder == "results" and not one.part for one in self.objects)


async def result_batches(
    listing: Listing, keys: OutputKeys, folders: Sequence[Folder] = FOLDERS
) -> AsyncIterator[ResultBatch]:
    """Yield the batches of which there are objects, by index. Objects with other names are left out.

    Indexes of more than eight digits are in the order of their text: a listing has no other.

    Raises:
        StoreDeniedError, StoreUnavailableError: as the listing.
    """
    waiting: dict[Folder, ResultObject] = {}
    listings = {folder: _objects(listing, keys, folder) for folder in folders}
    for folder, objects in listings.items():
        if (first := await anext(objects, None)) is not None:
            waiting[folder] = first
    while waiting:
        batch = min(one.batch for one in waiting.values())
        found = []
        for folder in [folder for folder, one in waiting.items() if one.batch == batch]:
            one: ResultObject | None = waiting.pop(folder)
            while one is not None and one.batch == batch:
                found.append(one)
                one = await anext(listings[folder], None)
            if one is not None:
                waiting[folder] = one
        found.sort(key=lambda one: (one.part, FOLDERS.index(one.folder)))
        yield ResultBatch(index=int(batch), objects=tuple(found))


async def _objects(listing: Listing, keys: OutputKeys, folder: Folder) -> AsyncIterator[ResultObject]:
    """Yield the objects of a folder. All of one batch are neighbours: `-` and `.` come before every digit."""
    prefix = keys.folder(folder)
    token = ""
    while True:
        page = await listing.list_page(prefix, token=token)
        for listed in page.objects:
            if (found := _name(listed.key.removeprefix(prefix))) is not None:
                yield ResultObject(folder=folder, batch=found[1], part=int(found[2] or 0), listed=listed)
        if not page.next_token:
            return
        token = page.next_token
