"""Probes and hooks, as Kubernetes writes them."""

from __future__ import annotations

from typing import Any

from dequeuer.apis.container import PreStop, Probe, SidecarProbe


def kubernetes_probe(probe: SidecarProbe) -> dict[str, Any]:
    """Return a probe. What is 0 is left out: Kubernetes' default stands in for it, as in Cortex."""
    written = _handler(probe)
    for key, value in (
        ("initialDelaySeconds", probe.initial_delay_s),
        ("timeoutSeconds", probe.timeout_s),
        ("periodSeconds", probe.period_s),
        ("successThreshold", probe.success_threshold),
        ("failureThreshold", probe.failure_threshold),
    ):
        if value:
            written[key] = value
    return written


def kubernetes_pre_stop(hook: PreStop) -> dict[str, Any]:
    """Return the hook of a container that runs before it is stopped."""
    return _handler(hook)


def _handler(check: SidecarProbe | PreStop) -> dict[str, Any]:
    if check.http_get is not None:
        return {"httpGet": {"path": check.http_get.path, "port": check.http_get.port}}
    if isinstance(check, Probe | PreStop) and check.exec is not None:
        return {"exec": {"command": list(check.exec.command)}}
    if isinstance(check, SidecarProbe) and check.tcp_socket is not None:
        return {"tcpSocket": {"port": check.tcp_socket.port}}
    raise AssertionError("a check has exactly one handler: the model sees to it")
