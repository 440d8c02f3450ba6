"""The five kinds of APIs."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from dequeuer.apis.model import Allowed, Model, rule_error
from dequeuer.apis.names import ApiName, Boolean, Endpoint, NodeGroups
from dequeuer.apis.pod import AsyncPod, BatchPod, RealtimePod, TaskPod
from dequeuer.apis.scaling import Autoscaling, UpdateStrategy

Weight = Annotated[int, Field(ge=0, le=100), Allowed("a whole number from 0 to 100")]
_KIND = Allowed("RealtimeAPI, AsyncAPI, BatchAPI, TaskAPI or TrafficSplitter")


class Networking(Model):
    """Where clients find an API."""

    endpoint: Endpoint = None
    """Path of the API. The default is its name."""


class _Named(Model):
    """What all kinds have."""

    name: ApiName
    """Name of the API; no name twice in a file."""
    kind: str
    """Kind of the API. It decides which other keys there are."""
    networking: Networking = Field(default_factory=Networking)
    """Where clients find the API."""

    @property
    def endpoint(self) -> str:
        """The path of the API: it begins with a slash and does not end with one."""
        return self.networking.endpoint or f"/{self.name}"


class _Deployed(_Named):
    """What the kinds have that run containers."""

    node_groups: NodeGroups = None
    """Node groups on which the API may run. The default is all."""


class _Scaled(_Deployed):
    """What the kinds have whose replicas run as long as the API is there."""

    autoscaling: Autoscaling = Field(default_factory=Autoscaling)
    """How many replicas the API has."""
    update_strategy: UpdateStrategy = Field(default_factory=UpdateStrategy)
    """How replicas are replaced."""


class RealtimeApi(_Scaled):
    """Answers requests at once."""

    kind: Annotated[Literal["RealtimeAPI"], _KIND]
    """Kind of the API. It decides which other keys there are."""
    pod: RealtimePod
    """What a replica is."""

    @property
    def target_in_flight(self) -> float:
        """Requests in flight that a replica should have."""
        return self.autoscaling.target_in_flight or float(self.pod.max_concurrency)

    @model_validator(mode="after")
    def _target_can_be_reached(self) -> Self:
        most = self.pod.max_concurrency + self.pod.max_queue_length
        if self.target_in_flight > most:
            text = (
                f"has a target_in_flight of {self.target_in_flight:g}, and a pod takes {most} requests; "
                "allowed: at most pod.max_concurrency + pod.max_queue_length; lower it"
            )
            raise rule_error([("autoscaling", text)])
        return self


class AsyncApi(_Scaled):
    """Takes requests into a queue and keeps their results."""

    kind: Annotated[Literal["AsyncAPI"], _KIND]
    """Kind of the API. It decides which other keys there are."""
    pod: AsyncPod
    """What a replica is."""

    @property
    def target_in_flight(self) -> float:
        """Messages in flight that a replica should have."""
        return self.autoscaling.target_in_flight or float(self.pod.max_concurrency)


class BatchApi(_Deployed):
    """Runs jobs whose items are sent in batches."""

    kind: Annotated[Literal["BatchAPI"], _KIND]
    """Kind of the API. It decides which other keys there are."""
    pod: BatchPod
    """What a worker of a job is."""


class TaskApi(_Deployed):
    """Runs jobs that are programs."""

    kind: Annotated[Literal["TaskAPI"], _KIND]
    """Kind of the API. It decides which other keys there are."""
    pod: TaskPod
    """What a worker of a job is."""


class TrafficSplit(Model):
    """One of the APIs that a TrafficSplitter sends requests to."""

    name: Annotated[str, Field(min_length=1), Allowed("the name of a RealtimeAPI; no name twice in a splitter")]
    """Name of a RealtimeAPI. The gateway and `dequeuer dev` want it in the same file."""
    weight: Weight
    """Percent of the requests: of all but the shadow, 100 together; of the shadow, how many are copied."""
    shadow: Boolean = False
    """Whether it gets copies of requests, whose responses are discarded; at most one in a splitter."""


class TrafficSplitter(_Named):
    """Divides requests between RealtimeAPIs."""

    kind: Annotated[Literal["TrafficSplitter"], _KIND]
    """Kind of the API. It decides which other keys there are."""
    apis: Annotated[tuple[TrafficSplit, ...], Field(min_length=1), Allowed("a list of at least one RealtimeAPI")]
    """The APIs that requests are sent to."""

    @model_validator(mode="after")
    def _weights_add_up(self) -> Self:
        total = sum(one.weight for one in self.apis if not one.shadow)
        shadows = [one.name for one in self.apis if one.shadow]
        faults = []
        if total != 100:
            text = f"have weights of {total} in all without the shadow; allowed: 100; correct them"
            faults.append(("apis", text))
        if len(shadows) > 1:
            text = f"have {len(shadows)} shadows; allowed: at most one; remove `shadow` from the others"
            faults.append(("apis", text))
        if faults:
            raise rule_error(faults)
        return self


Api = RealtimeApi | AsyncApi | BatchApi | TaskApi | TrafficSplitter
MODELS: dict[str, type[Api]] = {
    "RealtimeAPI": RealtimeApi,
    "AsyncAPI": AsyncApi,
    "BatchAPI": BatchApi,
    "TaskAPI": TaskApi,
    "TrafficSplitter": TrafficSplitter,
}
