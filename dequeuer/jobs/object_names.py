"""Lists objects without those in their folders, of which there may be any number."""

from __future__ import annotations

from collections.abc import AsyncIterator

from dequeuer.sinks.base import Listing

_LAST = chr(0x10FFFF)
"""No key of a folder comes after one that begins with this character."""


async def object_names(listing: Listing, prefix: str) -> frozenset[str]:
    """Return the names of the objects directly below `prefix`, which ends with a slash; a folder is `name/`.

    Raises `StoreDeniedError`, `StoreUnavailableError`.
    """
    return frozenset([name async for name in names_below(listing, prefix)])


async def names_below(listing: Listing, prefix: str, *, depth: int = 0, after: str = "") -> AsyncIterator[str]:
    """Yield the names of the objects below `prefix`, in the order of their keys.

    A folder that is not entered counts as one object, `name/`.


    Args:
        listing: of the bucket.
        prefix: ends with a slash.
        depth: how many folders below it are entered.
        after: the path of a folder; begin with what follows it.

    Raises:
        StoreUnavailableError, StoreDeniedError: as the listing.
    """
    begin, token, name = _after_folder(prefix, f"{after}/") if after else "", "", ""
    while True:
        page = await listing.list_page(prefix, after=begin, token=token)
        for listed in page.objects:
            last, name = name, _shallow(listed.key.removeprefix(prefix), depth)
            if name != last:
                yield name
        if not page.next_token:
            return
        # The rest of a folder is skipped: its pages would hold nothing new.
        begin, token = (_after_folder(prefix, name), "") if name.count("/") > depth else ("", page.next_token)


def _shallow(name: str, depth: int) -> str:
    parts = name.split("/", depth + 1)
    return "/".join([*parts[:-1], ""]) if len(parts) > depth + 1 else name


def _after_folder(prefix: str, folder: str) -> str:
    return f"{prefix}{folder}{_LAST}"
