"""What the metrics of one program say of APIs."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from dequeuer.ui.scraping import Sample

MAX_APIS: Final = 500
"""Names of APIs in the labels of one program."""
_DONE: Final = frozenset({"completed", "succeeded"})
_FAILED: Final = frozenset({"failed", "rejected", "poison"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Totals:
    """Counters.

    Attributes:
        completed: what ended well.
        failed: what did not.
        buckets: how many took at most so many seconds, by seconds; each has those of the smaller ones, too.
    """

    completed: float = 0.0
    failed: float = 0.0
    buckets: Mapping[float, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one program says of one API.

    Attributes:
        source: gateway: of requests that it forwards, which the proxies count, too.
        totals: since the program began.
        in_flight: now; None: not known.
        is_ready: whether its container is ready; None: not known.
    """

    source: Literal["sidecar", "proxy", "gateway"]
    totals: Totals
    in_flight: int | None = None
    is_ready: bool | None = None


def readings_of(samples: Iterable[Sample], api_name: str) -> Mapping[str, Reading]:
    """Return what the samples of a program say, by API. `api_name`: of the API whose pod it is part of; "": of none."""
    by_name: dict[str, list[Sample]] = defaultdict(list)
    for sample in samples:
        by_name[sample.name].append(sample)
    found = dict(_of_gateway(by_name["dequeuer_gateway_api_requests_total"]))
    if api_name and "dequeuer_messages_total" in by_name:
        found[api_name] = _of_sidecar(by_name)
    elif api_name and "dequeuer_proxy_requests_total" in by_name:
        found[api_name] = _of_proxy(by_name)
    return found


def _of_sidecar(by_name: Mapping[str, list[Sample]]) -> Reading:
    settled = [(one.labels.get("settlement", ""), one.value) for one in by_name["dequeuer_messages_total"]]
    totals = Totals(
        completed=sum(value for how, value in settled if how in _DONE),
        failed=sum(value for how, value in settled if how in _FAILED),
        buckets=_buckets(by_name.get("dequeuer_message_held_seconds_bucket", [])),
    )
    ready = _gauge(by_name, "dequeuer_ready")
    return Reading(
        source="sidecar",
        totals=totals,
        in_flight=_gauge(by_name, "dequeuer_in_flight"),
        is_ready=None if ready is None else bool(ready),
    )


def _of_proxy(by_name: Mapping[str, list[Sample]]) -> Reading:
    completed, failed = _by_status(by_name["dequeuer_proxy_requests_total"])
    buckets = _buckets(by_name.get("dequeuer_proxy_request_seconds_bucket", []))
    executing, queued = _gauge(by_name, "dequeuer_proxy_executing"), _gauge(by_name, "dequeuer_proxy_queued")
    ready = _gauge(by_name, "dequeuer_ready")
    return Reading(
        source="proxy",
        totals=Totals(completed=completed, failed=failed, buckets=buckets),
        in_flight=None if executing is None or queued is None else executing + queued,
        is_ready=None if ready is None else bool(ready),
    )


def _of_gateway(samples: Iterable[Sample]) -> Iterable[tuple[str, Reading]]:
    by_api: dict[str, list[Sample]] = {}
    for sample in samples:
        if len(by_api) < MAX_APIS:
            by_api.setdefault(sample.labels.get("api_name", ""), []).append(sample)
    for name, of_api in by_api.items():
        completed, failed = _by_status(of_api)
        yield name, Reading(source="gateway", totals=Totals(completed=completed, failed=failed))


def _by_status(samples: Iterable[Sample]) -> tuple[float, float]:
    """Return how many requests were answered, and how many of them failed; `none`: the client has left before."""
    completed = failed = 0.0
    for sample in samples:
        status = sample.labels.get("status", "")
        if status.startswith("5"):
            failed += sample.value
        elif status != "none":
            completed += sample.value
    return completed, failed


def _buckets(samples: Iterable[Sample]) -> Mapping[float, float]:
    found: dict[float, float] = {}
    for sample in samples:
        try:
            bound = float(sample.labels.get("le", ""))
        except ValueError:
            continue
        if bound >= 0:
            found[bound] = found.get(bound, 0.0) + sample.value
    return found


def _gauge(by_name: Mapping[str, list[Sample]], name: str) -> int | None:
    samples = by_name.get(name)
    return int(sum(one.value for one in samples)) if samples else None
