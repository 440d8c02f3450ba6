from __future__ import annotations

import pytest
from pydantic import ValidationError

from dequeuer.apis import AsyncApi, BatchApi, RealtimeApi, TaskApi, TrafficSplitter
from tests.apis.cases import ASYNC, BATCH, KINDS, REALTIME, SPLITTER, TASK, fault, only, parse


def test_the_smallest_realtime_api_has_the_defaults_of_cortex() -> None:
    api = only(REALTIME)
    assert isinstance(api, RealtimeApi)
    assert (api.name, api.kind, api.endpoint, api.node_groups) == ("answer", "RealtimeAPI", "/answer", None)
    assert (api.pod.port, api.pod.max_concurrency, api.pod.max_queue_length) == (8080, 1, 100)
    (container,) = api.pod.containers
    assert (container.command, container.args, dict(container.env)) == (None, None, {})
    assert (container.readiness_probe, container.liveness_probe, container.pre_stop) == (None, None, None)
    compute = container.compute
    assert (compute.cpu_millis, compute.gpu, compute.inf, compute.mem_bytes, compute.shm_bytes) == (
        200,
        0,
        0,
        None,
        None,
    )
    scaling = api.autoscaling
    assert (scaling.min_replicas, scaling.max_replicas, scaling.init_replicas) == (1, 100, 1)
    assert (scaling.window_s, scaling.downscale_stabilization_period_s, scaling.upscale_stabilization_period_s) == (
        60,
        300,
        60,
    )
    assert (scaling.max_downscale_factor, scaling.max_upscale_factor) == (0.75, 1.5)
    assert (scaling.downscale_tolerance, scaling.upscale_tolerance) == (0.05, 0.05)
    assert api.target_in_flight == 1
    assert (api.update_strategy.max_surge, api.update_strategy.max_unavailable) == ("25%", "25%")


def test_the_smallest_api_of_each_other_kind() -> None:
    text, batch, task, split = only(ASYNC), only(BATCH), only(TASK), only(SPLITTER)
    assert isinstance(text, AsyncApi)
    assert (text.pod.port, text.pod.max_concurrency, text.target_in_flight) == (8080, 1, 1)
    assert isinstance(batch, BatchApi)
    assert (batch.pod.port, batch.pod.containers[0].command) == (8080, ("python", "main.py"))
    assert isinstance(task, TaskApi)
    assert task.pod.containers[0].command == ("python", "train.py")
    assert isinstance(split, TrafficSplitter)
    assert [(one.name, one.weight, one.shadow) for one in split.apis] == [("answer", 100, False)]


def test_apis_are_found_by_name_and_listed_in_the_order_of_the_file() -> None:
    apis = parse("".join(KINDS.values()))
    assert [api.name for api in apis] == ["answer", "text", "sum", "train", "split"]
    assert len(apis) == 5
    found = apis.get("sum")
    assert found is not None
    assert found.kind == "BatchAPI"
    assert apis.get("none") is None


def test_values_are_frozen() -> None:
    api = only(BATCH + "      env: {A: b}\n")
    assert isinstance(api, BatchApi)
    with pytest.raises(ValidationError):
        api.name = "other"
    env = api.pod.containers[0].env
    assert env == {"A": "b"}
    assert not hasattr(env, "__setitem__")


def test_the_endpoint_is_the_name_or_what_is_given() -> None:
    for given, endpoint in [("a/b", "/a/b"), ("/a/b/", "/a/b"), ("v1.0_x-y", "/v1.0_x-y")]:
        assert only(f"{ASYNC}  networking: {{endpoint: {given}}}").endpoint == endpoint
    assert only(f"{ASYNC}  networking: {{}}").endpoint == "/text"


def test_the_target_in_flight_is_the_concurrency_unless_it_is_given() -> None:
    for kind in (REALTIME, ASYNC):
        api = only(kind.replace("  pod:\n", "  pod:\n    max_concurrency: 7\n"))
        assert isinstance(api, RealtimeApi | AsyncApi)
        assert api.target_in_flight == 7
        api = only(f"{kind}  autoscaling: {{target_in_flight: 0.5}}")
        assert isinstance(api, RealtimeApi | AsyncApi)
        assert api.target_in_flight == 0.5


def test_the_target_in_flight_of_a_realtime_api_is_bounded_by_what_a_pod_takes() -> None:
    assert "target_in_flight of 101.5, and a pod takes 101" in fault(
        f"{REALTIME}  autoscaling: {{target_in_flight: 101.5}}"
    )
    assert only(f"{ASYNC}  autoscaling: {{target_in_flight: 101.5}}").name == "text"


def test_all_keys_of_an_async_api() -> None:
    api = only(
        """
        - name: text
          kind: AsyncAPI
          pod:
            port: 9000
            max_concurrency: 100
            containers:
            - name: api
              image: 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/text@sha256:%s
              command: [python]
              args: [main.py, "--port", $(CORTEX_PORT)]
              env: {A: "1", B: "yes", C: "${HOME}"}
              compute: {cpu: 1, gpu: 2, mem: 2.5Gi, shm: 64Mi}
              readiness_probe:
                http_get: {path: ready, port: 9000}
                initial_delay_seconds: 1
                timeout_seconds: 2
                period_seconds: 3
                success_threshold: 4
                failure_threshold: 5
              liveness_probe: {tcp_socket: {port: 9000}}
              pre_stop: {exec: {command: [sleep, "5"]}}
          autoscaling:
            min_replicas: 0
            max_replicas: 9
            init_replicas: 2
            target_in_flight: 3
            window: 1m30s
            downscale_stabilization_period: 1.5h
            upscale_stabilization_period: 0s
            max_downscale_factor: 0
            max_upscale_factor: 2
            downscale_tolerance: 0.1
            upscale_tolerance: 1
          node_groups: [cpu-1, cpu_2]
          update_strategy: {max_surge: 1, max_unavailable: 0}
          networking: {endpoint: v1/text}
        """
        % ("a" * 64)
    )
    assert isinstance(api, AsyncApi)
    (container,) = api.pod.containers
    assert container.args == ("main.py", "--port", "$(CORTEX_PORT)")
    assert container.env == {"A": "1", "B": "yes", "C": "${HOME}"}
    assert (container.compute.cpu_millis, container.compute.gpu) == (1000, 2)
    assert (container.compute.mem_bytes, container.compute.shm_bytes) == (5 * 2**29, 2**26)
    probe = container.readiness_probe
    assert probe is not None
    assert probe.http_get is not None
    assert (probe.http_get.path, probe.http_get.port) == ("/ready", 9000)
    assert (probe.initial_delay_s, probe.timeout_s, probe.period_s) == (1, 2, 3)
    assert (probe.success_threshold, probe.failure_threshold) == (4, 5)
    assert container.liveness_probe is not None
    assert container.liveness_probe.tcp_socket is not None
    assert container.pre_stop is not None
    assert container.pre_stop.exec is not None
    assert container.pre_stop.exec.command == ("sleep", "5")
    scaling = api.autoscaling
    assert (scaling.min_replicas, scaling.max_replicas, scaling.init_replicas, api.target_in_flight) == (0, 9, 2, 3)
    assert (scaling.window_s, scaling.downscale_stabilization_period_s, scaling.upscale_stabilization_period_s) == (
        90,
        5400,
        0,
    )
    assert (scaling.max_downscale_factor, scaling.upscale_tolerance) == (0, 1)
    assert api.node_groups == ("cpu-1", "cpu_2")
    assert (api.update_strategy.max_surge, api.update_strategy.max_unavailable) == ("1", "0")
    assert api.endpoint == "/v1/text"


def test_a_job_may_have_an_empty_command_when_it_has_arguments() -> None:
    api = only(TASK.replace("command: [python, train.py]", "command: []\n      args: [python]"))
    assert isinstance(api, TaskApi)
    assert (api.pod.containers[0].command, api.pod.containers[0].args) == ((), ("python",))


def test_a_null_port_is_the_default() -> None:
    api = only(BATCH.replace("  pod:\n", "  pod:\n    port: null\n"))
    assert isinstance(api, BatchApi)
    assert api.pod.port == 8080


def test_null_asks_for_no_cpu() -> None:
    api = only(f"{ASYNC}      compute: {{cpu: null}}\n      readiness_probe:\n      command: ~\n")
    assert isinstance(api, AsyncApi)
    assert api.pod.containers[0].compute.cpu_millis is None
    assert api.pod.containers[0].readiness_probe is None
