"""Lists the objects of a job without those in its folders, of which there may be any number."""

from __future__ import annotations

from dequeuer.sinks.base import Listing

_LAST = chr(0x10FFFF)
"""No key of a folder comes after one that begins with this character."""


async def object_names(listing: Listing, prefix: str) -> frozenset[str]:
    """Return the names of the objects directly below `prefix`, which ends with a slash; a folder is `name/`.

    Raises `StoreDeniedError`, `StoreUnavailableError`.
    """
    names: set[str] = set()
    after = token = ""
    while True:
        page = await listing.list_page(prefix, after=after, token=token)
        name = ""
        for listed in page.objects:
            name = listed.key.removeprefix(prefix)
            folder, slash, _ = name.partition("/")
            names.add(folder + slash)
        if not page.next_token:
            return frozenset(names)
        folder, slash, _ = name.partition("/")
        # The rest of a folder is skipped: its pages would hold nothing new.
        after, token = (f"{prefix}{folder}/{_LAST}", "") if slash else ("", page.next_token)
