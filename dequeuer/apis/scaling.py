"""How many replicas an API has, and how they are replaced."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from dequeuer.apis.durations import Duration, Window
from dequeuer.apis.model import Allowed, Model, rule_error
from dequeuer.apis.names import NonNegative, Positive, ReplicaPart

TargetInFlight = Annotated[float | None, Field(gt=0), Allowed("a number above 0")]
DownscaleFactor = Annotated[float, Field(ge=0, lt=1), Allowed("a number from 0 to less than 1")]
UpscaleFactor = Annotated[float, Field(gt=1), Allowed("a number above 1")]
Tolerance = Annotated[float, Field(ge=0), Allowed("a number, at least 0")]


def _as_min_replicas(given: dict[str, Any]) -> int:
    replicas: int = given["min_replicas"]
    return replicas


class Autoscaling(Model):
    """The autoscaler's limits and how fast it moves."""

    min_replicas: NonNegative = 1
    """Fewest replicas; 0: the API may have none while it has nothing to do."""
    max_replicas: Positive = 100
    """Most replicas."""
    init_replicas: NonNegative = Field(default_factory=_as_min_replicas)
    """Replicas at first. The default is `min_replicas`."""
    target_in_flight: TargetInFlight = None
    """Requests in flight, queued ones included, that a replica should have. The default is `max_concurrency`."""
    window_s: Window = Field(default="60s", validate_default=True, alias="window")
    """Time over which requests in flight are averaged."""
    downscale_stabilization_period_s: Duration = Field(
        default="5m", validate_default=True, alias="downscale_stabilization_period"
    )
    """Replicas are not reduced below the highest recommendation of this period."""
    upscale_stabilization_period_s: Duration = Field(
        default="1m", validate_default=True, alias="upscale_stabilization_period"
    )
    """Replicas are not increased above the lowest recommendation of this period."""
    max_downscale_factor: DownscaleFactor = 0.75
    """One step down keeps at least this share of the replicas."""
    max_upscale_factor: UpscaleFactor = 1.5
    """The factor by which replicas grow at most in one step up."""
    downscale_tolerance: DownscaleFactor = 0.05
    """A recommendation that is lower by less than this part is not followed."""
    upscale_tolerance: Tolerance = 0.05
    """A recommendation that is higher by less than this part is not followed."""

    @model_validator(mode="after")
    def _replicas_are_in_order(self) -> Self:
        low, high, first = self.min_replicas, self.max_replicas, self.init_replicas
        faults = []
        if low > high:
            faults.append(("min_replicas", f"is {low}, more than max_replicas ({high}); lower it, or raise the other"))
        elif not low <= first <= high:
            text = f"is {first}; allowed: from min_replicas ({low}) to max_replicas ({high}); correct one of them"
            faults.append(("init_replicas", text))
        if faults:
            raise rule_error(faults)
        return self


class UpdateStrategy(Model):
    """How replicas are replaced by new ones."""

    max_surge: ReplicaPart = "25%"
    """Replicas above the wanted number during an update."""
    max_unavailable: ReplicaPart = "25%"
    """Replicas below the wanted number during an update."""

    @model_validator(mode="after")
    def _something_may_move(self) -> Self:
        if self.max_surge in {"0", "0%"} and self.max_unavailable in {"0", "0%"}:
            text = "has max_surge and max_unavailable of 0: no replica could be replaced; raise one of them"
            raise rule_error([("", text)])
        return self
