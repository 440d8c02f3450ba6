"""Pages of the newest jobs of an API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dequeuer.client.errors import InvalidAnswerError
from dequeuer.client.job_calls import next_page
from dequeuer.ui.directory import Api
from dequeuer.ui.link import Asks, json_value


async def job_page(link: Asks, api: Api, query: Mapping[str, str]) -> dict[str, Any]:
    """Return a page of the newest jobs of an API: `jobs`, and `next` when others follow."""
    body, following = await link.read_with_link("GET", api.jobs_path, query)
    jobs = json_value(body)
    if not isinstance(jobs, list):
        raise InvalidAnswerError("the gateway does not answer with a list of jobs")
    after = next_page(following)
    return {"jobs": jobs} | ({"next": after} if after else {})
