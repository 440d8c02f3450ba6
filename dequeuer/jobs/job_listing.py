"""Lists the jobs of an API, the newest first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from dequeuer.jobs.layout import is_job_id
from dequeuer.sinks.base import Listing

_AFTER_SLASH = "0"
"""The character that follows the slash: keys of a job come before its id with this one."""


@dataclass(frozen=True, slots=True)
class ListedJob:
    """A job, and the names of the objects below its prefix."""

    job_id: str
    names: frozenset[str]


async def list_jobs(listing: Listing, prefix: str, *, after: str = "") -> AsyncIterator[ListedJob]:
    """Yield the jobs of an API in the order of their keys: ids become smaller, so the newest comes first.

    What has no specification is no job: the rest of a deletion, say.

    Args:
        listing: of the bucket.
        prefix: `jobs.layout.api_jobs_prefix`.
        after: the id of a job; begin with the one that follows it, also when it does not exist any more.

    Raises:
        StoreUnavailableError, StoreDeniedError: as the listing.
    """
    begin, token = f"{prefix}{after}{_AFTER_SLASH}" if after else "", ""
    job_id, names = "", set[str]()
    while True:
        page = await listing.list_page(prefix, after="" if token else begin, token=token)
        for listed in page.objects:
            of_job, _, name = listed.key.removeprefix(prefix).partition("/")
            if of_job != job_id:
                if _is_job(job_id, names):
                    yield ListedJob(job_id, frozenset(names))
                job_id, names = of_job, set()
            names.add(name)
        token = page.next_token
        if not token:
            break
    if _is_job(job_id, names):
        yield ListedJob(job_id, frozenset(names))


def _is_job(job_id: str, names: set[str]) -> bool:
    return is_job_id(job_id) and "spec.json" in names
