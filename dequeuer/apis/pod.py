"""The pod of an API."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, model_validator

from dequeuer.apis.container import (
    AsyncContainer,
    BatchContainer,
    Container,
    RealtimeContainer,
    TaskContainer,
)
from dequeuer.apis.model import Allowed, Model, rule_error
from dequeuer.apis.names import DEFAULT_PORT, PodPort

_CONTAINERS = Allowed("a list of at least one container")
Concurrency = Annotated[int, Field(ge=1, le=30_000), Allowed("a whole number from 1 to 30000")]
"""Cortex's proxy handles slightly fewer than 32768 connections."""
AsyncConcurrency = Annotated[int, Field(ge=1, le=100), Allowed("a whole number from 1 to 100")]


class _Pod(Model):
    @model_validator(mode="after")
    def _has_one_kind_of_accelerator(self) -> Self:
        # Subclasses declare `containers`, each with containers of its own kind.
        containers: tuple[Container, ...] = getattr(self, "containers", ())
        if any(one.compute.gpu for one in containers) and any(one.compute.inf for one in containers):
            text = "has containers with gpu and with inf; allowed: one of the two in a pod; remove the other"
            raise rule_error([("containers", text)])
        return self


class RealtimePod(_Pod):
    """The pod of a RealtimeAPI."""

    port: PodPort = DEFAULT_PORT
    """Port that requests are sent to; the container finds it in `CORTEX_PORT`."""
    max_concurrency: Concurrency = 1
    """Requests that are sent into a pod at the same time."""
    max_queue_length: Concurrency = 100
    """Requests that wait in front of a pod, beyond `max_concurrency`; more are refused with status 503."""
    containers: Annotated[tuple[RealtimeContainer, ...], Field(min_length=1), _CONTAINERS]
    """The containers of the pod."""


class AsyncPod(_Pod):
    """The pod of an AsyncAPI."""

    port: PodPort = DEFAULT_PORT
    """Port that requests are sent to; the container finds it in `CORTEX_PORT`."""
    max_concurrency: AsyncConcurrency = 1
    """Messages that are sent into a pod at the same time."""
    containers: Annotated[tuple[AsyncContainer, ...], Field(min_length=1), _CONTAINERS]
    """The containers of the pod."""


class BatchPod(_Pod):
    """The pod of a worker of a BatchAPI."""

    port: PodPort = DEFAULT_PORT
    """Port that batches are sent to; the container finds it in `CORTEX_PORT`."""
    containers: Annotated[tuple[BatchContainer, ...], Field(min_length=1), _CONTAINERS]
    """The containers of the pod."""


class TaskPod(_Pod):
    """The pod of a worker of a TaskAPI; nothing is sent to it."""

    containers: Annotated[tuple[TaskContainer, ...], Field(min_length=1), _CONTAINERS]
    """The containers of the pod."""
