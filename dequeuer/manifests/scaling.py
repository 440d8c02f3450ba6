"""From Cortex's `autoscaling` and `update_strategy` to the chart's."""

from __future__ import annotations

import math
from typing import Any, Final, TypeVar

from dequeuer.apis.kinds import AsyncApi, RealtimeApi
from dequeuer.apis.scaling import Autoscaling, UpdateStrategy
from dequeuer.manifests.notes import Place

MAX_STABILIZATION_S: Final = 3600.0
"""Kubernetes' limit of a stabilization window."""

MAX_FACTOR: Final = 1000.0
"""The chart's limit of `maxUpscaleFactor`."""

MAX_REPLICAS: Final = 100_000
MAX_TARGET: Final = 60_000.0
MAX_WINDOW_S: Final = 3600.0

Number = TypeVar("Number", int, float)


def chart_autoscaling(api: AsyncApi | RealtimeApi, place: Place) -> dict[str, Any]:
    """Return the section `autoscaling` of an API. What the file does not say is left to the chart's defaults."""
    scaling = api.autoscaling
    least = _min_replicas(api, place.below("min_replicas"))
    written: dict[str, Any] = {
        "type": "keda",
        "minReplicas": least,
        "maxReplicas": _bounded(scaling.max_replicas, MAX_REPLICAS, place.below("max_replicas")),
    }
    if "init_replicas" in scaling.model_fields_set and scaling.init_replicas != least:
        place.below("init_replicas").note(
            "has no counterpart: KEDA begins with minReplicas; raise minReplicas for the first hour where it matters"
        )
    if scaling.target_in_flight is not None:
        written["targetInFlight"] = _target(api, place.below("target_in_flight"))
    if "window_s" in scaling.model_fields_set:
        written |= _window(api, place.below("window"))
    return written | _pace(scaling, place)


def _pace(scaling: Autoscaling, place: Place) -> dict[str, Any]:
    """Return how fast the number of replicas changes."""
    given = scaling.model_fields_set
    written: dict[str, Any] = {}
    for field, key, name in (
        ("downscale_stabilization_period_s", "downscale_stabilization_period", "downscaleStabilization"),
        ("upscale_stabilization_period_s", "upscale_stabilization_period", "upscaleStabilization"),
    ):
        if field in given:
            written[name] = _stabilization(getattr(scaling, field), place.below(key))
    if "max_downscale_factor" in given:
        written["maxDownscaleFactor"] = scaling.max_downscale_factor
    if "max_upscale_factor" in given:
        factor = place.below("max_upscale_factor")
        written["maxUpscaleFactor"] = _bounded(scaling.max_upscale_factor, MAX_FACTOR, factor)
    for key, name in (("downscale_tolerance", "downscaleTolerance"), ("upscale_tolerance", "upscaleTolerance")):
        if key in given:
            value = getattr(scaling, key)
            place.below(key).note(f"is left out: Kubernetes knows it from 1.35 on; there, set {name}: {value:g}")
    return written


def _bounded(given: Number, most: Number, place: Place) -> Number:
    if given > most:
        place.note(f"is {given:g}; the chart allows {most:g}, which is set")
    return min(given, most)


def _min_replicas(api: AsyncApi | RealtimeApi, place: Place) -> int:
    if isinstance(api, RealtimeApi) and api.autoscaling.min_replicas == 0:
        place.note("is 0, but without a pod nothing counts requests: 1 is set; for zero use KEDA's http-add-on")
        return 1
    return _bounded(api.autoscaling.min_replicas, MAX_REPLICAS, place)


def _target(api: AsyncApi | RealtimeApi, place: Place) -> float:
    target = _bounded(api.target_in_flight, MAX_TARGET, place)
    if isinstance(api, AsyncApi) and target != int(target):
        whole = max(1, math.floor(target))
        place.note(f"is {target:g}; KEDA takes a whole number for a queue: {whole} is set")
        return whole
    return int(target) if target == int(target) else target


def _window(api: AsyncApi | RealtimeApi, place: Place) -> dict[str, Any]:
    if isinstance(api, AsyncApi):
        place.note("is left out: KEDA reads the queue's counts of the moment, not their mean")
        return {}
    return {"window": int(_bounded(api.autoscaling.window_s, MAX_WINDOW_S, place))}


def _stabilization(seconds: float, place: Place) -> int:
    whole = math.ceil(_bounded(seconds, MAX_STABILIZATION_S, place))
    if seconds != int(seconds) and whole < MAX_STABILIZATION_S:
        place.note(f"is rounded up to {whole} s: Kubernetes takes whole seconds")
    return whole


def chart_update_strategy(strategy: UpdateStrategy) -> dict[str, Any]:
    """Return the section `updateStrategy`; only what the file says."""
    names = {"max_surge": "maxSurge", "max_unavailable": "maxUnavailable"}
    return {
        name: int(value) if (value := getattr(strategy, field)).isdecimal() else value
        for field, name in names.items()
        if field in strategy.model_fields_set
    }
