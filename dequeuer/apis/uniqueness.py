"""What must not be there twice. It is looked for in the values as they are read, so other faults hide none of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from pydantic_core import PydanticCustomError

from dequeuer.apis.faults import Fault, Location
from dequeuer.apis.names import canonical_path
from dequeuer.apis.values import Document
from dequeuer.core.errors import clip
from dequeuer.core.suggestions import did_you_mean


def find_duplicates(document: Document) -> Iterator[Fault]:
    """Yield a fault for each name of an API, a container or a target of a splitter that is there again."""
    apis = list(enumerate(document.value))
    yield from _repeated(document, [((at, "name"), _get(api, "name")) for at, api in apis], "an API")
    for at, api in apis:
        containers = _get(_get(api, "pod"), "containers")
        named = [((at, "pod", "containers", nr, "name"), _get(one, "name")) for nr, one in _items(containers)]
        yield from _repeated(document, named, "a container of this pod")
        targets = _get(api, "apis")
        split = [((at, "apis", nr, "name"), _get(one, "name")) for nr, one in _items(targets)]
        yield from _repeated(document, split, "an API of this splitter")


def find_clashes(document: Document) -> Iterator[Fault]:
    """Yield a fault for each endpoint that is there again, and each splitter's target of another kind."""
    kinds = {_get(api, "name"): _get(api, "kind") for api in document.value if isinstance(_get(api, "name"), str)}
    owners: dict[str, str] = {}
    for at, api in enumerate(document.value):
        name, endpoint = _get(api, "name"), _endpoint(api)
        if isinstance(name, str) and endpoint is not None and owners.setdefault(endpoint, name) != name:
            text = (
                f'"{endpoint}" is the endpoint of {clip(owners[endpoint], 64)} as well; '
                "allowed: no endpoint twice; change one of them"
            )
            yield document.fault((at, "networking", "endpoint"), text)
        for nr, target in _items(_get(api, "apis")):
            kind = kinds.get(_get(target, "name"), "RealtimeAPI") if isinstance(_get(target, "name"), str) else None
            if isinstance(kind, str) and kind != "RealtimeAPI":
                text = f"is of kind {clip(kind, 64)}; allowed: a RealtimeAPI; name another one"
                yield document.fault((at, "apis", nr, "name"), text)


def find_missing_targets(document: Document) -> Iterator[Fault]:
    """Yield a fault for each API of a splitter that is not in the file."""
    names = {name for api in document.value if isinstance(name := _get(api, "name"), str)}
    realtime = [_get(api, "name") for api in document.value if _get(api, "kind") == "RealtimeAPI"]
    for at, api in enumerate(document.value):
        for nr, target in _items(_get(api, "apis")):
            name = _get(target, "name")
            if isinstance(name, str) and name and name not in names:
                hint = did_you_mean(name, [one for one in realtime if isinstance(one, str)])
                text = (
                    f'"{clip(name, 64)}" is not in the file{hint}; allowed: the RealtimeAPIs of the file; '
                    "add the API, or name another one"
                )
                yield document.fault((at, "apis", nr, "name"), text)


def _endpoint(api: Any) -> str | None:
    """Return the endpoint of an API; None when it cannot be told."""
    given = _get(_get(api, "networking"), "endpoint") or _get(api, "name")
    try:
        return canonical_path(given) if isinstance(given, str) else None
    except PydanticCustomError:
        return None


def _repeated(document: Document, named: Sequence[tuple[Location, Any]], what: str) -> Iterator[Fault]:
    first: dict[str, Location] = {}
    for location, name in named:
        if isinstance(name, str) and first.setdefault(name, location) != location:
            line = document.node(first[name]).start_mark.line + 1
            text = (
                f'"{clip(name, 64)}" is the name of {what} in line {line} as well; allowed: each name once; rename one'
            )
            yield document.fault(location, text)


def _get(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _items(value: Any) -> list[tuple[int, Any]]:
    return list(enumerate(value)) if isinstance(value, tuple) else []
