"""What pages put into paths and queries, checked before it goes to the gateway."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from dequeuer.core.errors import clip
from dequeuer.formats.request_id import is_request_id
from dequeuer.jobs.layout import is_job_id
from dequeuer.ui.errors import UiError

_FORMS: Final[Mapping[str, re.Pattern[str]]] = {
    "status": re.compile(r"[a-z_]{1,32}"),
    "after": re.compile(r"[A-Za-z0-9._:-]{1,160}"),
    "limit": re.compile(r"[0-9]{1,4}"),
    "action": re.compile(r"[a-z]{1,16}"),
    "from": re.compile(r"[0-9]{1,15}"),
}


def query_of(request: web.Request, *names: str) -> dict[str, str]:
    """Return these parameters of a query, as far as they are there. Raises `UiError`: one has another form."""
    found = {}
    for name in names:
        given = request.query.getall(name, [])
        if given and given != [""]:
            if len(given) > 1 or not _FORMS[name].fullmatch(given[0]):
                raise UiError(400, f'{name} is "{clip(given[-1], 100)}", which it cannot be')
            found[name] = given[0]
    return found


def request_id_of(request: web.Request) -> str:
    """Return the id of a request in a path. Raises `UiError`."""
    request_id = request.match_info["id"]
    if not is_request_id(request_id):
        raise UiError(400, f'"{clip(request_id, 100)}" is not the id of a request')
    return request_id


def job_id_of(request: web.Request) -> str:
    """Return the id of a job in a path. Raises `UiError`."""
    job_id = request.match_info["id"]
    if not is_job_id(job_id):
        raise UiError(400, f'"{clip(job_id, 100)}" is not the id of a job')
    return job_id
