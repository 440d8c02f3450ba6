"""Log lines about the container: its probes, its readiness, and whether it speaks HTTP/1."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any

from dequeuer.core.errors import clip
from dequeuer.core.events import ContainerProtocolChanged, Event, GateChanged, Probed


class ContainerLines:
    """Writes a line when a state changes, not for every run of a probe."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._is_healthy: dict[str, bool] = {}
        """The last logged result of each probe."""
        self._warned: set[str] = set()
        """Probes whose warning has been logged since their result changed."""
        self.handlers: Mapping[type[Event], Callable[[Any], None]] = {
            Probed: self._probed,
            GateChanged: self._gate_changed,
            ContainerProtocolChanged: self._container_protocol_changed,
        }

    def _probed(self, event: Probed) -> None:
        if self._is_healthy.get(event.probe) is not event.healthy:
            # While the container starts every probe fails: the first failure is no warning.
            level = logging.INFO if event.healthy or event.probe not in self._is_healthy else logging.WARNING
            self._is_healthy[event.probe] = event.healthy
            self._warned.discard(event.probe)
            line = "probe_healthy" if event.healthy else "probe_failing"
            self._log.log(level, line, probe=clip(event.probe), detail=clip(event.detail))
        if event.warning and event.probe not in self._warned:
            self._warned.add(event.probe)
            self._log.warning("probe_warning", probe=clip(event.probe), detail=clip(event.detail))

    def _gate_changed(self, event: GateChanged) -> None:
        self._log.info("container_ready" if event.is_open else "container_not_ready")

    def _container_protocol_changed(self, event: ContainerProtocolChanged) -> None:
        if not event.looks_like:
            self._log.info("container_hold_ended")
            return
        self._log.error(
            "container_not_http",
            detail=f"looks like {event.looks_like}",
            hint="no messages are received and no request fails until the container serves HTTP/1.1 without TLS; "
            "the check is repeated; check DEQUEUER_USER_PORT and DEQUEUER_USER_HOST",
        )
