"""Events of the container: its probes, and what it speaks."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Probed:
    """A probe ran once.

    Attributes:
        probe: its name.
        ok: the result of this run.
        healthy: the state of the probe after the thresholds.
        changed: whether `healthy` changed, or this is the first run.
        detail: for the log.
        warning: the detail is worth a log line, also when `ok`.
    """

    probe: str
    ok: bool
    healthy: bool
    changed: bool
    detail: str
    warning: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GateChanged:
    """The readiness of the container changed: all its probes together."""

    is_open: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerProtocolChanged:
    """No messages are received, because the container does not speak HTTP/1; or this is over.

    `looks_like`: the protocol that it seems to speak, one of a fixed set of names; "" when it is over.
    """

    looks_like: str
