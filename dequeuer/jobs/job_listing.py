"""Lists the jobs of an API, the newest first."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass

from dequeuer.jobs.layout import is_job_id
from dequeuer.jobs.object_names import names_below
from dequeuer.sinks.base import Listing


@dataclass(frozen=True, slots=True)
class ListedJob:
    """A job, and the names of the objects directly below its prefix; a folder is `name/`."""

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
    job_id, names = "", set[str]()
    async for path in names_below(listing, prefix, depth=1, after=after):
        of_job, _, name = path.partition("/")
        if of_job != job_id:
            if _is_job(job_id, names):
                yield ListedJob(job_id, frozenset(names))
            job_id, names = of_job, set()
        names.add(name)
    if _is_job(job_id, names):
        yield ListedJob(job_id, frozenset(names))


def _is_job(job_id: str, names: set[str]) -> bool:
    return is_job_id(job_id) and "spec.json" in names
