"""The APIs of the gateway: what a page names is looked up here, so no name of a page becomes a path unseen."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from dequeuer.client.errors import InvalidAnswerError
from dequeuer.client.fields import is_text, object_of
from dequeuer.core.errors import clip
from dequeuer.formats.api_name import is_api_name
from dequeuer.ui.errors import UiError
from dequeuer.ui.link import Asks

MAX_APIS: Final = 500
KNOWN_FOR_S: Final = 10.0
"""How long the list of APIs counts. An API that it lacks is asked for at once."""
KINDS: Final = ("AsyncAPI", "BatchAPI", "TaskAPI", "RealtimeAPI", "TrafficSplitter")

_ENDPOINT: Final = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._-]+)+")
_MAX_ENDPOINT_CHARS: Final = 1001


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """An API. `endpoint`: its path at the gateway."""

    name: str
    kind: str
    endpoint: str

    @property
    def jobs_path(self) -> str:
        """The path of its jobs."""
        return f"/{'tasks' if self.kind == 'TaskAPI' else 'batch'}/{self.name}"

    def require(self, *kinds: str) -> Api:
        """Return itself. Raises `UiError` unless it is of one of these kinds."""
        if self.kind not in kinds:
            raise UiError(409, f"API {self.name} is of kind {self.kind}: this is for {' and '.join(kinds)}")
        return self


class Directory:
    """Asks the gateway, and remembers for a moment."""

    def __init__(self, link: Asks) -> None:
        self._link = link
        self._apis: Sequence[Api] = ()
        self._known_until_s = float("-inf")
        self._lock = asyncio.Lock()

    async def find(self, name: str) -> Api:
        """Return an API. Raises `UiError`: there is none of this name; and the errors of `client.errors`."""
        if not is_api_name(name):
            raise UiError(404, f'"{clip(name, 100)}" is not the name of an API')
        found = _named(self._apis, name) if self._is_known() else None
        found = found or _named(await self.refresh(), name)
        if found is None:
            raise UiError(404, f"the gateway serves no API {name}")
        return found

    async def list(self) -> Sequence[Api]:
        """Return all APIs."""
        return self._apis if self._is_known() else await self.refresh()

    async def refresh(self) -> Sequence[Api]:
        """Return all APIs, as the gateway lists them now. Callers at the same time share an answer."""
        asked_at_s = self._now()
        async with self._lock:
            if self._known_until_s < asked_at_s + KNOWN_FOR_S:
                fields = await self._link.fields("/_apis")
                self._apis = _apis(fields.get("apis"))
                self._known_until_s = self._now() + KNOWN_FOR_S
            return self._apis

    def _is_known(self) -> bool:
        return self._now() < self._known_until_s

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def _named(apis: Sequence[Api], name: str) -> Api | None:
    return next((one for one in apis if one.name == name), None)


def _apis(listed: Any) -> Sequence[Api]:
    if not isinstance(listed, list):
        raise InvalidAnswerError("the gateway does not answer with a list of APIs: is it of this version?")
    return tuple(api for one in listed[:MAX_APIS] if (api := _api(one)) is not None)


def _api(fields: Any) -> Api | None:
    """Return an API; None when it is of another form, because it becomes a part of paths."""
    name, kind, endpoint = (object_of(fields).get(name) for name in ("name", "kind", "endpoint"))
    if not is_text(name) or not is_text(kind) or not is_text(endpoint):
        return None
    is_sound = is_api_name(name) and kind in KINDS and len(endpoint) <= _MAX_ENDPOINT_CHARS
    return Api(name=name, kind=kind, endpoint=endpoint) if is_sound and _ENDPOINT.fullmatch(endpoint) else None
