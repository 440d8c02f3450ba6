"""Priorities: which of the queues of an API a submission goes to. Sidecars serve each queue by its weight.

Hazard: the header is not `Priority` (RFC 9218), which browsers and proxies send with any request and change on the way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Final

from aiohttp import web

from dequeuer.core.errors import clip
from dequeuer.gateway.problems import ProblemError

PRIORITY_HEADER: Final = "X-Dequeuer-Priority"
PRIORITY_PARAMETER: Final = "priority"
MAX_CHARS: Final = 64


class Priorities:
    """The queues of APIs beside their own. `urls`: by the name of the priority, by the name of the API."""

    def __init__(self, urls: Mapping[str, Mapping[str, str]] = MappingProxyType({})) -> None:
        self._urls = urls

    def names_of(self, api_name: str) -> Sequence[str]:
        """Return the priorities of an API, as they were configured; none for one that has its own queue alone."""
        return tuple(self._urls.get(api_name, ()))

    def __bool__(self) -> bool:
        """Whether an API has any."""
        return bool(self._urls)

    def queue_of(self, api_name: str, priority: str, where: str) -> str:
        """Return the queue of a priority. `where`: the place in which a client named it. Raises `ProblemError`."""
        url = self._urls.get(api_name, {}).get(priority)
        if url is None:
            names = ", ".join(self.names_of(api_name)) or "none"
            text = f'{where} is "{clip(priority, MAX_CHARS)}"; allowed for API {api_name}: {names}; or leave it out'
            raise ProblemError(400, "invalid_priority", text)
        return url


NO_PRIORITIES: Final = Priorities()


def asked_priority(request: web.Request) -> str | None:
    """Return the priority that a submission asks for; None when it does not. Raises `ProblemError`."""
    given = request.headers.getall(PRIORITY_HEADER, [])
    if len(given) > 1:
        text = f"{PRIORITY_HEADER} is there {len(given)} times: send it once"
        raise ProblemError(400, "invalid_priority", text)
    return given[0].strip(" \t") if given else None
