"""Files of the shapes that people have for Cortex, and what they mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from dequeuer.apis import AsyncApi, BatchApi, RealtimeApi, TaskApi, TrafficSplitter, load_apis

FILES = Path(__file__).parent / "files"


def load(name: str) -> list[object]:
    return list(load_apis(str(FILES / name)))


def test_every_file_is_used() -> None:
    used = Path(__file__).read_text(encoding="utf-8")
    for path in FILES.iterdir():
        assert f'"{path.name}"' in used


@pytest.mark.parametrize(
    ("name", "gpu", "cpu_millis", "mem_bytes"),
    [("async_cpu.yaml", 0, 1000, 5 * 2**29), ("async_gpu.yaml", 1, 200, 2**29)],
)
def test_an_async_api(name: str, gpu: int, cpu_millis: int, mem_bytes: int) -> None:
    (api,) = load(name)
    assert isinstance(api, AsyncApi)
    (container,) = api.pod.containers
    assert (container.compute.gpu, container.compute.cpu_millis, container.compute.mem_bytes) == (
        gpu,
        cpu_millis,
        mem_bytes,
    )
    assert container.env == ({"DEVICE": "cuda"} if gpu else {})
    probe = container.readiness_probe
    assert probe is not None
    assert probe.http_get is not None
    assert (probe.http_get.path, probe.http_get.port, probe.period_s) == ("/ready", 8080, 10)


def test_a_batch_api() -> None:
    (api,) = load("batch.yaml")
    assert isinstance(api, BatchApi)
    assert (api.name, api.pod.port, api.endpoint) == ("sum-up", 8080, "/sum-up")
    assert api.pod.containers[0].command == ("uvicorn", "--workers", "1", "--port", "$(CORTEX_PORT)", "app:app")
    assert api.pod.containers[0].compute.mem_bytes == 256 * 2**20


def test_a_task_api() -> None:
    (api,) = load("task.yaml")
    assert isinstance(api, TaskApi)
    assert api.pod.containers[0].command == ("python", "train.py")
    assert api.pod.containers[0].args == ("--epochs", "3")


def test_a_realtime_api_that_scales_to_zero() -> None:
    (api,) = load("realtime_zero.yaml")
    assert isinstance(api, RealtimeApi)
    assert (api.pod.max_queue_length, api.pod.max_concurrency) == (500, 1)
    scaling = api.autoscaling
    assert (scaling.min_replicas, scaling.init_replicas, scaling.max_replicas) == (0, 0, 1)
    assert scaling.downscale_stabilization_period_s == 30
    probe = api.pod.containers[0].readiness_probe
    assert probe is not None
    assert probe.timeout_s == 3


def test_a_realtime_api_of_two_containers_with_an_accelerator() -> None:
    (api,) = load("realtime_two_containers.yaml")
    assert isinstance(api, RealtimeApi)
    server, driver = api.pod.containers
    assert (api.pod.port, api.pod.max_concurrency, api.target_in_flight) == (9000, 8, 8)
    assert server.args == ("--port=8500", "--rest_api_port=9000", "--model_base_path=s3://models/net/")
    assert server.env == {"AWS_REGION": "us-west-2", "S3_VERIFY_SSL": "0", "DRIVER": "unix:/mnt/driver.sock"}
    assert server.readiness_probe is not None
    assert server.readiness_probe.exec is not None
    assert server.readiness_probe.exec.command == ("check_model", "-addr", "localhost:8500")
    assert (server.compute.inf, driver.compute.inf, driver.compute.mem_bytes) == (0, 1, 2 * 10**9)


def test_a_splitter_with_a_shadow() -> None:
    a, b, shadow, splitter = load("splitter.yaml")
    assert isinstance(a, RealtimeApi)
    assert isinstance(b, RealtimeApi)
    assert isinstance(shadow, RealtimeApi)
    assert isinstance(splitter, TrafficSplitter)
    assert a.pod.containers[0].env == {"ANSWER": "from a"}
    assert [(one.name, one.weight, one.shadow) for one in splitter.apis] == [
        ("greet-a", 30, False),
        ("greet-b", 70, False),
        ("greet-next", 100, True),
    ]
    assert splitter.endpoint == "/greet"
