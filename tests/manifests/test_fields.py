"""Every key that a cortex.yaml may have comes out in the values, or in a note."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest
from pydantic import BaseModel

from dequeuer.apis.fields import fields_of
from dequeuer.apis.kinds import MODELS
from tests.manifests.converting import Converted, api_text

Case = tuple[dict[str, str], str, Any]
"""The parts of the file, the place in the values of the API, and what is there. A place that begins with "note" is a
part of a note."""

PROBE: Final = ", readiness_probe: {http_get: {path: /a, port: 81}%s}"
TCP: Final = ", readiness_probe: {tcp_socket: {port: 82}}"
LIVE: Final = ", liveness_probe: {http_get: {path: /b, port: 83}%s}"
LIVE_TCP: Final = ", liveness_probe: {tcp_socket: {port: 84}}"
LIVE_EXEC: Final = ", liveness_probe: {exec: {command: [cat, x]}}"
HOOK: Final = ", pre_stop: {http_get: {path: /c, port: 85}}"
HOOK_EXEC: Final = ", pre_stop: {exec: {command: [stop]}}"


def probes(key: str, name: str, http: str, tcp: str, path: str, ports: tuple[int, int]) -> dict[str, Case]:
    """Return the cases of a probe."""
    plain, counted = http % "", "containers.0." + name
    numbers = {
        "initial_delay_seconds": "initialDelaySeconds",
        "timeout_seconds": "timeoutSeconds",
        "period_seconds": "periodSeconds",
        "success_threshold": "successThreshold",
        "failure_threshold": "failureThreshold",
    }
    return {
        key: ({"container": plain}, f"{counted}.periodSeconds", 10),
        f"{key}.http_get": ({"container": plain}, f"{counted}.httpGet", {"path": path, "port": ports[0]}),
        f"{key}.http_get.path": ({"container": plain}, f"{counted}.httpGet.path", path),
        f"{key}.http_get.port": ({"container": plain}, f"{counted}.httpGet.port", ports[0]),
        f"{key}.tcp_socket": ({"container": tcp}, f"{counted}.tcpSocket", {"port": ports[1]}),
        f"{key}.tcp_socket.port": ({"container": tcp}, f"{counted}.tcpSocket.port", ports[1]),
        **{
            f"{key}.{field}": ({"container": http % f", {field}: 7"}, f"{counted}.{written}", 7)
            for field, written in numbers.items()
        },
    }


def prefixed(prefix: str, cases: dict[str, Case]) -> dict[str, Case]:
    return {prefix + key: case for key, case in cases.items()}


CASES: Final[dict[str, Case]] = {
    "name": ({}, "containers.0.name", "api"),
    "kind": ({}, "kind", None),
    "networking": ({"more": ", networking: {endpoint: /v1/sum/}"}, "endpoint", "/v1/sum"),
    "networking.endpoint": ({"more": ", networking: {endpoint: v1}"}, "endpoint", "/v1"),
    "node_groups": ({"more": ", node_groups: [cpu]"}, "affinity.nodeAffinity", ...),
    "pod": ({}, "containers.0.image", "sum:1"),
    "pod.port": ({"pod": ", port: 9000"}, "port", 9000),
    "pod.max_concurrency": ({"pod": ", max_concurrency: 7"}, "concurrency", 7),
    "pod.max_queue_length": ({"pod": ", max_queue_length: 9"}, "queueLength", 9),
    "pod.containers": ({}, "containers", ...),
    "pod.containers.name": ({}, "containers.0.name", "api"),
    "pod.containers.image": ({}, "containers.0.image", "sum:1"),
    "pod.containers.command": ({"container": ", command: [a, b]"}, "containers.0.command", ["a", "b"]),
    "pod.containers.args": ({"container": ", args: ['1']"}, "containers.0.args", ["1"]),
    "pod.containers.env": (
        {"container": ", env: {B: '2', A: ''}"},
        "containers.0.env",
        [{"name": "A", "value": ""}, {"name": "B", "value": "2"}],
    ),
    "pod.containers.compute": ({}, "containers.0.resources.requests.cpu", "200m"),
    "pod.containers.compute.cpu": (
        {"container": ", compute: {cpu: 1.5}"},
        "containers.0.resources.requests.cpu",
        "1500m",
    ),
    "pod.containers.compute.mem": (
        {"container": ", compute: {mem: 1536Mi}"},
        "containers.0.resources.requests.memory",
        "1536Mi",
    ),
    "pod.containers.compute.gpu": (
        {"container": ", compute: {gpu: 2}"},
        "containers.0.resources.limits",
        {"nvidia.com/gpu": 2},
    ),
    "pod.containers.compute.inf": (
        {"container": ", compute: {inf: 2}"},
        "containers.0.resources.limits",
        {"aws.amazon.com/neuron": 2, "hugepages-2Mi": "512Mi"},
    ),
    "pod.containers.compute.shm": ({"container": ", compute: {shm: 64Mi}"}, "shm", "64Mi"),
    **prefixed("pod.containers.", probes("readiness_probe", "readinessProbe", PROBE, TCP, "/a", (81, 82))),
    **prefixed("pod.containers.", probes("liveness_probe", "livenessProbe", LIVE, LIVE_TCP, "/b", (83, 84))),
    "pod.containers.readiness_probe.exec": (
        {"container": ", readiness_probe: {exec: {command: [ready]}}"},
        "containers.0.readinessProbe.exec",
        {"command": ["ready"]},
    ),
    "pod.containers.readiness_probe.exec.command": (
        {"container": ", readiness_probe: {exec: {command: [ready]}}"},
        "containers.0.readinessProbe.exec.command",
        ["ready"],
    ),
    "pod.containers.liveness_probe.exec": (
        {"container": LIVE_EXEC},
        "containers.0.livenessProbe.exec",
        {"command": ["cat", "x"]},
    ),
    "pod.containers.liveness_probe.exec.command": (
        {"container": LIVE_EXEC},
        "containers.0.livenessProbe.exec.command",
        ["cat", "x"],
    ),
    "pod.containers.pre_stop": ({"container": HOOK}, "containers.0.lifecycle.preStop", ...),
    "pod.containers.pre_stop.http_get": (
        {"container": HOOK},
        "containers.0.lifecycle.preStop.httpGet",
        {"path": "/c", "port": 85},
    ),
    "pod.containers.pre_stop.http_get.path": ({"container": HOOK}, "containers.0.lifecycle.preStop.httpGet.path", "/c"),
    "pod.containers.pre_stop.http_get.port": ({"container": HOOK}, "containers.0.lifecycle.preStop.httpGet.port", 85),
    "pod.containers.pre_stop.exec": (
        {"container": HOOK_EXEC},
        "containers.0.lifecycle.preStop.exec",
        {"command": ["stop"]},
    ),
    "pod.containers.pre_stop.exec.command": (
        {"container": HOOK_EXEC},
        "containers.0.lifecycle.preStop.exec.command",
        ["stop"],
    ),
    "autoscaling": ({}, "autoscaling.type", "keda"),
    "autoscaling.min_replicas": ({"more": ", autoscaling: {min_replicas: 3}"}, "autoscaling.minReplicas", 3),
    "autoscaling.max_replicas": ({"more": ", autoscaling: {max_replicas: 9}"}, "autoscaling.maxReplicas", 9),
    "autoscaling.init_replicas": ({"more": ", autoscaling: {init_replicas: 5}"}, "note", "init_replicas"),
    "autoscaling.target_in_flight": (
        {"more": ", autoscaling: {target_in_flight: 4}"},
        "autoscaling.targetInFlight",
        4,
    ),
    "autoscaling.window": ({"more": ", autoscaling: {window: 2m}"}, "autoscaling.window", 120),
    "autoscaling.downscale_stabilization_period": (
        {"more": ", autoscaling: {downscale_stabilization_period: 10m}"},
        "autoscaling.downscaleStabilization",
        600,
    ),
    "autoscaling.upscale_stabilization_period": (
        {"more": ", autoscaling: {upscale_stabilization_period: 30s}"},
        "autoscaling.upscaleStabilization",
        30,
    ),
    "autoscaling.max_downscale_factor": (
        {"more": ", autoscaling: {max_downscale_factor: 0.5}"},
        "autoscaling.maxDownscaleFactor",
        0.5,
    ),
    "autoscaling.max_upscale_factor": (
        {"more": ", autoscaling: {max_upscale_factor: 3}"},
        "autoscaling.maxUpscaleFactor",
        3,
    ),
    "autoscaling.downscale_tolerance": (
        {"more": ", autoscaling: {downscale_tolerance: 0.2}"},
        "note",
        "downscaleTolerance: 0.2",
    ),
    "autoscaling.upscale_tolerance": (
        {"more": ", autoscaling: {upscale_tolerance: 0.3}"},
        "note",
        "upscaleTolerance: 0.3",
    ),
    "update_strategy": ({"more": ", update_strategy: {max_surge: 3}"}, "updateStrategy", {"maxSurge": 3}),
    "update_strategy.max_surge": ({"more": ", update_strategy: {max_surge: 50%}"}, "updateStrategy.maxSurge", "50%"),
    "update_strategy.max_unavailable": (
        {"more": ", update_strategy: {max_unavailable: '0'}"},
        "updateStrategy.maxUnavailable",
        0,
    ),
}

KINDS: Final = ("AsyncAPI", "RealtimeAPI", "BatchAPI")


def keys(model: type[BaseModel]) -> Iterator[str]:
    """Yield each key of a model and of what is in it: `pod.containers.name`."""
    for key, field in fields_of(model).items():
        yield key
        if field.model is not None:
            yield from (f"{key}.{inner}" for inner in keys(field.model))


def found_at(values: Any, place: str) -> Any:
    """Return the value at a place: `containers.0.name`."""
    for part in place.split("."):
        values = values[int(part)] if isinstance(values, list) else values[part]
    return values


EACH: Final = [(kind, key) for kind in KINDS for key in keys(MODELS[kind])]


def test_every_key_is_tested() -> None:
    assert len(EACH) > 120
    assert {key for _, key in EACH} == set(CASES)


@pytest.mark.parametrize(("kind", "key"), EACH)
def test_a_key_comes_out_in_the_values_or_in_a_note(kind: str, key: str) -> None:
    parts, place, expected = CASES[key]
    converted = Converted(api_text(kind, **parts))
    if key == "autoscaling.window" and kind == "AsyncAPI":
        place, expected = "note", "autoscaling.window (API sum): is left out"
    if place == "note":
        assert any(note.startswith("cortex.yaml:1:") and expected in note for note in converted.notes)
        return
    value = found_at(converted.api(), place)
    assert value == {"kind": kind}.get(key, expected) or expected is ...


def test_the_keys_of_a_splitter_come_out() -> None:
    parts = "pod: {containers: [{name: api, image: 'a:1'}]}"
    converted = Converted(
        f"- {{name: a, kind: RealtimeAPI, {parts}}}\n"
        f"- {{name: b, kind: RealtimeAPI, {parts}}}\n"
        "- {name: split, kind: TrafficSplitter, networking: {endpoint: /ab},\n"
        "   apis: [{name: a, weight: 100}, {name: b, weight: 30, shadow: true}]}\n"
    )
    assert set(keys(MODELS["TrafficSplitter"])) == {
        "name",
        "kind",
        "networking",
        "networking.endpoint",
        "apis",
        "apis.name",
        "apis.weight",
        "apis.shadow",
    }
    assert converted.values["trafficSplitters"] == {
        "split": {
            "endpoint": "/ab",
            "apis": [{"name": "a", "weight": 100}, {"name": "b", "weight": 30, "shadow": True}],
        }
    }
    assert list(converted.values["apis"]) == ["a", "b"]


def test_a_task_api_is_left_out_with_a_note_at_its_line() -> None:
    converted = Converted(api_text("AsyncAPI") + api_text("TaskAPI").replace("name: sum", "name: clean", 1))
    assert list(converted.values["apis"]) == ["sum"]
    assert [note.partition(":")[2][:4] for note in converted.notes] == ["2:3:"]
    assert "(API clean): is left out: the chart has no TaskAPI" in converted.notes[0]
