"""The APIs of cortex.yaml, as the gateway serves them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from dequeuer.core.errors import ConfigurationError, clip
from dequeuer.core.suggestions import did_you_mean
from dequeuer.jobs.deployed_api import ApiSpec, DeployedApi
from dequeuer.jobs.layout import JobKind

if TYPE_CHECKING:
    from dequeuer.apis import TrafficSplitter

JOB_PREFIXES: Final[Mapping[JobKind, str]] = {"BatchAPI": "batch", "TaskAPI": "tasks"}
"""First segments of the paths of Cortex's operator, by the kinds of the APIs whose names follow."""
RESERVED = frozenset({"healthz", "verifycortex", *JOB_PREFIXES.values()})
"""First segments of the paths that the gateway answers itself."""
REALTIME_PORT = 8888
"""Of the Service of a RealtimeAPI in Cortex's clusters."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """An API of the file.

    Attributes:
        api_name: its name.
        kind: as Cortex writes it (`AsyncAPI`).
        path: begins with a slash and does not end with one; it may have several segments.
        job_api: what its jobs show of it; None for a kind without jobs.
        address: host and port of a RealtimeAPI; None for another kind, and where nothing is forwarded.
        split: what a TrafficSplitter does; None for another kind.
        spec: its configuration, for those who ask for it; None: it is not known.
    """

    api_name: str
    kind: str
    path: str
    job_api: DeployedApi | None = field(default=None, repr=False)  # as `spec`
    address: tuple[str, int] | None = None
    split: Split | None = None
    spec: ApiSpec | None = field(default=None, repr=False)  # its environment variables may be secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A RealtimeAPI behind a splitter.

    Attributes:
        api: the API, at the endpoint of the splitter.
        address: its host and port.
        weight: part of the requests, in percent.
    """

    api: Endpoint
    address: tuple[str, int]
    weight: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Between which APIs a splitter divides requests.

    Attributes:
        targets: of which one gets a request; their weights add up to 100.
        shadow: gets copies.
    """

    targets: tuple[Target, ...]
    shadow: Target | None = None


class Endpoints:
    """The APIs of the file by name, in the order of the file. Immutable."""

    def __init__(self, endpoints: Iterable[Endpoint] = ()) -> None:
        self._by_name = {one.api_name: one for one in endpoints}

    def kind_of(self, api_name: str) -> str | None:
        """Return the kind of an API; None when the file does not name it."""
        endpoint = self._by_name.get(api_name)
        return endpoint.kind if endpoint is not None else None

    def forwarded_at(self, api_name: str) -> str | None:
        """Return the path of a RealtimeAPI or TrafficSplitter whose requests are forwarded; None for any other API."""
        endpoint = self._by_name.get(api_name)
        is_forwarded = endpoint is not None and (endpoint.address is not None or endpoint.split is not None)
        return endpoint.path if endpoint is not None and is_forwarded else None

    def and_at_names(self, queue_names: Iterable[str]) -> Iterator[Endpoint]:
        """Yield all APIs of a gateway: those of the file in its order, then those that only a queue is named for."""
        yield from self
        for name in sorted(set(queue_names) - self._by_name.keys()):
            yield Endpoint(api_name=name, kind="AsyncAPI", path=f"/{name}")

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(self._by_name.values())


NO_ENDPOINTS = Endpoints()
"""Without a file: APIs are found by the names of their queues."""


def load_endpoints(
    path: str, queues: Mapping[str, str] | None, urls: Mapping[str, tuple[str, int]] = MappingProxyType({})
) -> Endpoints:
    """Return the endpoints of a file. Blocks while it is read.

    Args:
        path: of the file.
        queues: queue URLs by API name; None when they are not known, and cannot be compared with the file.
        urls: addresses of RealtimeAPIs that are not at `api-<name>`.

    Raises:
        ConfigurationError: with every fault of the file; or with every API that the gateway cannot serve.
    """
    # It takes 20 MiB and 0.2 s, and only a gateway with such a file needs it.
    from dequeuer.apis import BatchApi, TaskApi, TrafficSplitter, load_apis  # noqa: PLC0415
    from dequeuer.jobs.api_config import api_spec, deployed_api  # noqa: PLC0415

    file_name = Path(path).name
    listed: list[Endpoint] = []
    for index, api in enumerate(load_apis(path, has_all_targets=True)):
        spec = (
            deployed_api(api, index=index, file_name=file_name)
            if isinstance(api, BatchApi | TaskApi)
            else api_spec(api, index=index, file_name=file_name)
        )
        listed.append(
            Endpoint(
                api_name=api.name,
                kind=api.kind,
                path=api.endpoint,
                job_api=spec if isinstance(spec, DeployedApi) else None,
                address=_address(api.name, urls) if api.kind == "RealtimeAPI" else None,
                split=_split(api, urls) if isinstance(api, TrafficSplitter) else None,
                spec=spec,
            )
        )
    endpoints = Endpoints(listed)
    faults = [*_reserved(endpoints), *(_without_queue(endpoints, queues) if queues is not None else ())]
    faults += _not_realtime(endpoints, urls)
    if faults:
        raise ConfigurationError([f"{clip(path)}: {fault}" for fault in faults])
    return endpoints


def _address(api_name: str, urls: Mapping[str, tuple[str, int]]) -> tuple[str, int]:
    return urls.get(api_name, (f"api-{api_name}", REALTIME_PORT))


def _split(splitter: TrafficSplitter, urls: Mapping[str, tuple[str, int]]) -> Split:
    targets = {
        one: Target(
            api=Endpoint(api_name=one.name, kind="RealtimeAPI", path=splitter.endpoint),
            address=_address(one.name, urls),
            weight=one.weight,
        )
        for one in splitter.apis
    }
    return Split(
        targets=tuple(target for one, target in targets.items() if not one.shadow),
        shadow=next((target for one, target in targets.items() if one.shadow), None),
    )


def _reserved(endpoints: Endpoints) -> Iterator[str]:
    for api in endpoints:
        first = api.path.split("/")[1]
        if first in RESERVED:
            yield (
                f'API {api.api_name} has the endpoint "{api.path}", and the gateway answers /{first} itself; '
                f"allowed: a path that begins otherwise; set its networking.endpoint"
            )


def _without_queue(endpoints: Endpoints, queues: Mapping[str, str]) -> Iterator[str]:
    surplus = queues.keys() - {api.api_name for api in endpoints}
    for api in endpoints:
        if api.kind == "AsyncAPI" and api.api_name not in queues:
            yield (
                f"API {api.api_name} is an AsyncAPI, and DEQUEUER_QUEUES names no queue for it"
                f"{did_you_mean(api.api_name, surplus)}; allowed: a queue for each AsyncAPI; "
                f"add {api.api_name}=<URL of its queue> to DEQUEUER_QUEUES"
            )
        if api.kind != "AsyncAPI" and api.api_name in queues:
            yield (
                f"API {api.api_name} is of kind {api.kind}, and DEQUEUER_QUEUES names a queue for it; "
                "allowed: queues of AsyncAPIs; remove it from DEQUEUER_QUEUES"
            )


def _not_realtime(endpoints: Endpoints, urls: Iterable[str]) -> Iterator[str]:
    names = [api.api_name for api in endpoints if api.kind == "RealtimeAPI"]
    for name in urls:
        if name not in names:
            kind = endpoints.kind_of(name)
            what = f"is of kind {kind}" if kind else f"is not in the file{did_you_mean(name, names)}"
            yield (
                f"API {name} {what}, and DEQUEUER_REALTIME_URLS names an address for it; allowed: the names of "
                "RealtimeAPIs; remove it from DEQUEUER_REALTIME_URLS"
            )
