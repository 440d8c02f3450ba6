"""`compute` of a container, on this machine: what of it is used, and what is not."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from dequeuer.apis import Apis, BatchApi, TaskApi
from dequeuer.apis.container import Compute
from dequeuer.controller.launchers.local.cpus import CpuPool, own_cpus
from dequeuer.controller.launchers.local.guards import Guard
from dequeuer.controller.launchers.local.memory_limits import CgroupMemory, Means, MemoryLimits
from dequeuer.process import enter_limits
from dequeuer.process.cgroups import Cgroups

NO_DEVICES: Final = "containers on this machine see all devices; none is assigned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limited:
    """The limits of one run of a container.

    Attributes:
        prefix: goes before its command.
        guards: to be closed when it has ended.
    """

    prefix: tuple[str, ...]
    guards: tuple[Guard, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotUsed:
    """Fields of `compute` that change nothing here, and why."""

    api_name: str
    container: str
    fields: tuple[str, ...]
    reason: str


class LocalCompute:
    """What this machine offers.

    Args:
        memory: how memory is limited.
        cpus: that containers may be given.
        sees_root: containers have a root of their own, and a `/dev/shm` there.
    """

    def __init__(self, memory: MemoryLimits, cpus: CpuPool, *, sees_root: bool) -> None:
        self._memory = memory
        self._cpus = cpus
        self._sees_root = sees_root

    @classmethod
    def of_machine(cls, *, sees_root: bool) -> LocalCompute:
        """Find out what this machine offers. Moves this process to a cgroup of its own where it may make some."""
        return cls(MemoryLimits(Cgroups.find()), CpuPool(own_cpus()), sees_root=sees_root)

    @property
    def memory_limits(self) -> Means:
        """How memory is limited."""
        return self._memory.means

    def limit(self, name: str, compute: Compute) -> Limited:
        """Return the limits that a container asks for. Raises `OSError`."""
        guards: list[Guard] = []
        cgroup = cpus = ""
        if compute.mem_bytes is not None:
            memory = self._memory.limit(f"{name}-{secrets.token_hex(4)}", compute.mem_bytes)
            guards += [memory] if memory is not None else []
            cgroup = str(memory.cgroup.path) if isinstance(memory, CgroupMemory) else ""
        if (millis := _given_millis(compute)) is not None and self._cpus.can_assign:
            share = self._cpus.take(millis)
            guards.append(share)
            cpus = ",".join(map(str, share.cpus))
        script = (sys.executable, "-I", "-S", str(Path(enter_limits.__file__)), cgroup, cpus, "--")
        return Limited(prefix=script if cgroup or cpus else (), guards=tuple(guards))

    def not_used(self, apis: Apis) -> Iterator[NotUsed]:
        """Say what is asked for and changes nothing."""
        for api in apis:
            if isinstance(api, BatchApi | TaskApi):
                for container in api.pod.containers:
                    for reason, fields in self._not_used(container.compute).items():
                        yield NotUsed(api_name=api.name, container=container.name, fields=fields, reason=reason)

    def _not_used(self, compute: Compute) -> dict[str, tuple[str, ...]]:
        found: dict[str, tuple[str, ...]] = {}
        devices = tuple(name for name in ("gpu", "inf") if getattr(compute, name))
        if devices:
            found[NO_DEVICES] = devices
        if compute.mem_bytes is not None and self.memory_limits == "none":
            found["this system does not say how much memory a process uses"] = ("mem",)
        if _given_millis(compute) is not None and not self._cpus.can_assign:
            found["this system does not keep processes to some CPUs"] = ("cpu",)
        if compute.shm_bytes is not None and not self._sees_root:
            found["containers have no root of their own on this machine"] = ("shm",)
        return found


def _given_millis(compute: Compute) -> int | None:
    # Cortex's default of 200m is no wish of the user: who gives nothing gets all CPUs.
    return compute.cpu_millis if "cpu_millis" in compute.model_fields_set else None
