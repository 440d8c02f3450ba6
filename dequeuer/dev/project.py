"""A cortex.yaml, as this machine runs it: which APIs are run, which are not, and what is wrong."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from dequeuer.apis import Apis, AsyncApi, BatchApi, RealtimeApi, TaskApi, TrafficSplitter, load_apis
from dequeuer.core.errors import ConfigurationError, clip

CheckApis: TypeAlias = Callable[[str], object]
"""Raises `ConfigurationError` with what the gateway does not accept of a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A file without faults.

    Attributes:
        path: of the file, absolute. Containers run in its folder.
        apis: all APIs of the file.
    """

    path: Path
    apis: Apis

    @property
    def async_apis(self) -> tuple[AsyncApi, ...]:
        """The APIs whose requests are queued; their containers run all the time."""
        return tuple(api for api in self.apis if isinstance(api, AsyncApi))

    @property
    def realtime_apis(self) -> tuple[RealtimeApi, ...]:
        """The APIs to which the gateway forwards requests; their containers run all the time."""
        return tuple(api for api in self.apis if isinstance(api, RealtimeApi))

    @property
    def job_apis(self) -> tuple[BatchApi | TaskApi, ...]:
        """The APIs whose containers run while they have a job."""
        return tuple(api for api in self.apis if isinstance(api, BatchApi | TaskApi))

    @property
    def splitters(self) -> tuple[TrafficSplitter, ...]:
        """The APIs that divide requests between the realtime APIs; the gateway does it."""
        return tuple(api for api in self.apis if isinstance(api, TrafficSplitter))


def load_project(path: str, check_apis: CheckApis) -> Project:
    """Return the project of a file. Blocks while it is read.

    Raises:
        ConfigurationError: with every fault.
    """
    faults: list[str] = []
    try:
        check_apis(path)
    except ConfigurationError as error:
        faults = [*error.faults]
    try:
        apis = load_apis(path)
    except ConfigurationError:
        if not faults:  # it was replaced in between
            raise
        raise ConfigurationError(faults) from None
    faults += [f"{clip(path)}: {fault}" for fault in _faults(apis)]
    if faults:
        raise ConfigurationError(faults)
    return Project(path=Path(os.path.abspath(path)), apis=apis)  # noqa: PTH100 - `resolve` would follow links


def _faults(apis: Apis) -> Iterator[str]:
    for index, api in enumerate(apis):
        if not isinstance(api, AsyncApi | RealtimeApi):
            continue  # jobs have commands, or the file a fault
        for number, container in enumerate(api.pod.containers):
            if not container.command:
                yield (
                    f"apis[{index}].pod.containers[{number}].command (API {api.name}): is missing, and dev runs "
                    f"commands on this machine, not images; allowed: the entry point of the image "
                    f"{clip(container.image)} as a command; write it down"
                )
