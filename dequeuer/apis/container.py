"""A container of a pod: what it runs, what it asks for, how it is probed."""

from __future__ import annotations

from typing import Self

from pydantic import Field, model_validator

from dequeuer.apis.model import Model, rule_error
from dequeuer.apis.names import (
    ContainerName,
    Devices,
    Env,
    HttpPath,
    Image,
    NonEmptyTexts,
    NonNegative,
    Port,
    RequiredTexts,
    Texts,
)
from dequeuer.apis.quantities import Cpu, Mem, Shm


class HttpGet(Model):
    """A GET request: a status from 200 to 399 is success."""

    path: HttpPath = "/"
    """Path of the request."""
    port: Port
    """Port of the container."""


class TcpSocket(Model):
    """A TCP connection: it is accepted, or not."""

    port: Port
    """Port of the container."""


class Exec(Model):
    """A command that is run in the container: its exit status 0 is success."""

    command: NonEmptyTexts
    """The command and its arguments; no shell is in between."""


class _Check(Model):
    """Exactly one of several handlers. Subclasses name them."""

    @model_validator(mode="after")
    def _has_one_handler(self) -> Self:
        handlers = [name for name in ("http_get", "tcp_socket", "exec") if name in type(self).model_fields]
        given = [name for name in handlers if getattr(self, name) is not None]
        if len(given) != 1:
            what = f"has {' and '.join(given)}" if given else "has none of its handlers"
            do = "remove all but one" if given else "add one"
            raise rule_error([("", f"{what}; allowed: exactly one of {', '.join(handlers)}; {do}")])
        return self


class SidecarProbe(_Check):
    """A probe that the sidecar runs: it has no `exec`, which would have to run inside another container."""

    http_get: HttpGet | None = None
    """GET request; exactly one of the handlers is given."""
    tcp_socket: TcpSocket | None = None
    """TCP connection; exactly one of the handlers is given."""
    initial_delay_s: NonNegative = Field(default=0, alias="initial_delay_seconds")
    """Seconds from the start of the container to the first probe."""
    timeout_s: NonNegative = Field(default=1, alias="timeout_seconds")
    """Seconds after which a probe has failed; 0 counts as 1."""
    period_s: NonNegative = Field(default=10, alias="period_seconds")
    """Seconds from one probe to the next; 0 counts as 10."""
    success_threshold: NonNegative = 1
    """Successes in a row after which the probe passes; 0 counts as 1."""
    failure_threshold: NonNegative = 3
    """Failures in a row after which the probe fails; 0 counts as 3."""


class Probe(SidecarProbe):
    """A probe that Kubernetes runs."""

    exec: Exec | None = None
    """Command in the container; exactly one of the handlers is given."""


class PreStop(_Check):
    """What Kubernetes does before it stops the container."""

    http_get: HttpGet | None = None
    """GET request; exactly one of the handlers is given."""
    exec: Exec | None = None
    """Command in the container; exactly one of the handlers is given."""


class Compute(Model):
    """What the container asks of its node."""

    cpu_millis: Cpu = Field(default="200m", validate_default=True, alias="cpu")
    """CPU that it asks for."""
    gpu: Devices = 0
    """NVIDIA GPUs; not together with `inf` in one pod."""
    inf: Devices = 0
    """AWS Inferentia chips; not together with `gpu` in one pod."""
    mem_bytes: Mem = Field(default=None, alias="mem")
    """Memory that it asks for."""
    shm_bytes: Shm = Field(default=None, alias="shm")
    """Size of /dev/shm."""

    @model_validator(mode="after")
    def _shm_is_memory(self) -> Self:
        if self.shm_bytes is not None and self.mem_bytes is not None and self.shm_bytes > self.mem_bytes:
            text = f"is {self.shm_bytes} bytes, more than mem ({self.mem_bytes} bytes); lower it, or raise mem"
            raise rule_error([("shm", text)])
        return self


class Container(Model):
    """What the containers of all kinds have."""

    name: ContainerName
    """Name of the container."""
    image: Image
    """Image that it runs."""
    command: Texts = None
    """Entry point, without a shell; `$(CORTEX_PORT)` is replaced. The default is the ENTRYPOINT of the image."""
    args: Texts = None
    """Arguments of the entry point; `$(CORTEX_PORT)` is replaced. The default is the CMD of the image, or none where
    `command` is required."""
    env: Env = Field(default_factory=dict, validate_default=True)
    """Environment variables. Values in quotes: `"1"`, `"true"`."""
    compute: Compute = Field(default_factory=Compute)
    """What the container asks of its node."""
    liveness_probe: Probe | None = None
    """A container whose probe fails is restarted."""


class JobContainer(Container):
    """A container of a job: it is started through a program of its own, so its entry point must be known."""

    command: RequiredTexts
    """Entry point, without a shell; `$(CORTEX_PORT)` is replaced. It may be empty when `args` is not."""

    @model_validator(mode="after")
    def _runs_something(self) -> Self:
        if not (self.command or self.args):
            text = "is empty, and so is args; allowed: the program that a job runs; write it down"
            raise rule_error([("command", text)])
        return self


class RealtimeContainer(Container):
    """A container of a RealtimeAPI."""

    readiness_probe: Probe | None = None
    """No request is sent while it fails. Kubernetes runs it."""
    pre_stop: PreStop | None = None
    """What is done before the container is stopped."""


class AsyncContainer(Container):
    """A container of an AsyncAPI."""

    readiness_probe: SidecarProbe | None = None
    """No message is received while it fails. The sidecar runs it, so it has no `exec`."""
    pre_stop: PreStop | None = None
    """What is done before the container is stopped."""


class BatchContainer(JobContainer):
    """A container of a BatchAPI."""

    readiness_probe: SidecarProbe | None = None
    """No batch is received while it fails. The sidecar runs it, so it has no `exec`."""


class TaskContainer(JobContainer):
    """A container of a TaskAPI."""
