"""Every fault of a key: where it is, and what its text says."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from dequeuer.apis import checking
from dequeuer.apis.faults import MAX_FAULTS
from dequeuer.core.suggestions import did_you_mean
from tests.apis.cases import ASYNC, BATCH, REALTIME, SPLITTER, TASK, fault, faults, parse

C = "apis[0].pod.containers[0]"


def pod(text: str, line: str) -> str:
    """Return a file with a further key of the pod."""
    return text.replace("  pod:\n", f"  pod:\n    {line}\n")


def container(text: str, line: str) -> str:
    """Return a file with a further key of the container, as its last line."""
    return f"{text}      {line}\n"


CASES = [
    # names
    (ASYNC.replace("text", "Text", 1), "1:9: apis[0].name (API Text): Text; allowed: at most 42 lower-case letters"),
    (ASYNC.replace("text", "b-x", 1), "(it begins with b-)"),
    (ASYNC.replace("text", "a" * 43, 1), "at most 42"),
    (ASYNC.replace("text", "a-", 1), "not ending with a dash"),
    (ASYNC.replace("text", '""', 1), '1:9: apis[0].name: "";'),
    (
        ASYNC.replace("text", "12", 1),
        "1:9: apis[0].name: 12 (without quotes YAML takes it for a number); allowed: at most",
    ),
    (ASYNC.replace("name: text\n  ", "", 1), "1:3: apis[0]: has no name; allowed: at most 42"),
    (
        ASYNC.replace("AsyncAPI", "AsynAPI"),
        "2:9: apis[0].kind (API text): AsynAPI (did you mean AsyncAPI?); allowed: RealtimeAPI, AsyncAPI",
    ),
    (ASYNC.replace("  kind: AsyncAPI\n", ""), "1:3: apis[0] (API text): has no kind; allowed: RealtimeAPI"),
    (ASYNC.replace("AsyncAPI", "[a]"), "apis[0].kind (API text): a list;"),
    (ASYNC.replace("AsyncAPI", ""), "apis[0].kind (API text): nothing;"),
    # pod
    (
        pod(ASYNC, "port: 0"),
        "4:11: apis[0].pod.port (API text): 0; allowed: a port from 1 to 65535, but not 8888 or 15000",
    ),
    (pod(ASYNC, "port: 65536"), "65536; allowed: a port"),
    (pod(ASYNC, "port: 8888"), "8888 (it is reserved)"),
    (pod(ASYNC, "port: 15000"), "15000 (it is reserved)"),
    (pod(ASYNC, 'port: "80"'), '"80"; allowed: a port'),
    (pod(ASYNC, "port: 80.0"), "80.0; allowed: a port"),
    (pod(ASYNC, "port: 12:30"), "12:30; allowed: a port"),
    (pod(ASYNC, "port: 0755"), "0755 (it is octal for some readers of YAML and decimal for others); allowed: a port"),
    (pod(ASYNC, "port: 1e3"), "1e3; allowed: a port"),
    (pod(ASYNC, "port: yes"), "yes; allowed: a port"),
    (pod(ASYNC, f"port: {'9' * 5000}"), "a number of more than 400 characters"),
    (pod(ASYNC, f"port: {'9' * 300}"), "allowed: a port"),
    (pod(ASYNC, "max_concurrency: 101"), "101; allowed: a whole number from 1 to 100"),
    (pod(REALTIME, "max_concurrency: 30001"), "30001; allowed: a whole number from 1 to 30000"),
    (pod(REALTIME, "max_queue_length: 0"), "0; allowed: a whole number from 1 to 30000"),
    (
        pod(ASYNC, "max_queue_length: 5"),
        "4:5: apis[0].pod.max_queue_length (API text): is not a key of AsyncAPI; allowed: for RealtimeAPI;",
    ),
    (pod(BATCH, "max_concurrency: 5"), "is not a key of BatchAPI; allowed: for RealtimeAPI, AsyncAPI;"),
    (pod(TASK, "port: 5"), "is not a key of TaskAPI; allowed: for RealtimeAPI, AsyncAPI, BatchAPI;"),
    (
        pod(ASYNC, "max_concurency: 5"),
        "is no known key (did you mean max_concurrency?); allowed: port, max_concurrency, containers;",
    ),
    ("- name: a\n  kind: TaskAPI\n", "1:3: apis[0] (API a): has no pod; allowed: a mapping of containers; add it"),
    (
        "- name: a\n  kind: TaskAPI\n  pod: {}\n",
        "3:3: apis[0].pod (API a): has no containers; allowed: a list of at least one container",
    ),
    ("- name: a\n  kind: TaskAPI\n  pod: {containers: []}\n", "3:21: apis[0].pod.containers (API a): an empty list;"),
    (
        "- name: a\n  kind: TaskAPI\n  pod: {containers: }\n",
        "containers (API a): nothing; allowed: a list of at least one container",
    ),
    ("- name: a\n  kind: TaskAPI\n  pod: x\n", "3:8: apis[0].pod (API a): x; allowed: a mapping of containers"),
    ("- name: a\n  kind: TaskAPI\n  pod: {containers: {a: b}}\n", "a mapping; allowed: a list of at least one"),
    (
        "- name: a\n  kind: TaskAPI\n  pod: {containers: [x]}\n",
        "3:22: apis[0].pod.containers[0] (API a): x; allowed: a mapping of name, image, command",
    ),
    # containers
    (
        ASYNC.replace("name: api", "name: dequeuer"),
        f"5:13: {C}.name (API text): dequeuer (it is reserved); allowed: at most 63",
    ),
    (ASYNC.replace("name: api", "name: proxy"), "proxy (it is reserved)"),
    (
        ASYNC.replace("registry.example/text:1", "Registry/Text"),
        f"6:14: {C}.image (API text): Registry/Text; allowed: a container image",
    ),
    (ASYNC.replace("registry.example/text:1", "a b"), "a b; allowed: a container image"),
    (
        ASYNC.replace("      image: registry.example/text:1\n", ""),
        f"5:7: {C} (API text): has no image; allowed: a container image",
    ),
    (container(ASYNC, "command: python"), f"7:16: {C}.command (API text): a text; allowed: a list of texts"),
    (
        container(ASYNC, "args: [a, 1]"),
        f"7:17: {C}.args[1] (API text): a number (without quotes YAML takes it for a number); allowed: a list of texts",
    ),
    (container(ASYNC, "args: [a, on]"), "a boolean (without quotes YAML takes it for a boolean)"),
    (container(ASYNC, "args: [a, ~]"), "nothing; allowed: a list of texts"),
    (
        BATCH.replace("      command: [python, main.py]\n", ""),
        f"5:7: {C} (API sum): has no command; allowed: a list of texts; add it",
    ),
    (BATCH.replace("[python, main.py]", "null"), f"{C}.command (API sum): nothing; allowed: a list of texts"),
    (TASK.replace("[python, train.py]", "[]"), f"7:7: {C}.command (API train): is empty, and so is args;"),
    (
        container(ASYNC, "env: {CORTEX_A: b}"),
        f"7:13: {C}.env.CORTEX_A (API text): a variable of this name (it is reserved);",
    ),
    (container(ASYNC, 'env: {KUBEXIT_A: ""}'), "(it is reserved)"),
    (
        container(ASYNC, "env: {A: 1}"),
        f"7:16: {C}.env.A (API text): a number (without quotes YAML takes it for a number)",
    ),
    (container(ASYNC, "env: {A: true}"), "a boolean (without quotes"),
    (container(ASYNC, "env: {A: }"), f"{C}.env.A (API text): nothing;"),
    (container(ASYNC, "env: {1: a}"), f"7:13: {C}.env (API text): a key, 1 is no text;"),
    (container(ASYNC, "env: {[a]: b}"), "a key, is no text;"),
    (container(ASYNC, "env:"), "nothing; allowed: a mapping of texts to texts"),
    (container(ASYNC, "env: [a]"), "a list; allowed: a mapping of texts to texts"),
    # compute
    (container(ASYNC, "compute: {cpu: 19m}"), f"7:22: {C}.compute.cpu (API text): 19m (it is less than 20m);"),
    (container(ASYNC, "compute: {cpu: -1}"), "-1; allowed: at least 20m"),
    (container(ASYNC, "compute: {cpu: .inf}"), ".inf; allowed: at least 20m"),
    (container(ASYNC, "compute: {cpu: yes}"), "yes; allowed: at least 20m"),
    (container(ASYNC, "compute: {mem: 19Mi}"), "19Mi (it is less than 20Mi);"),
    (container(ASYNC, "compute: {mem: 1Xi}"), "1Xi (Xi is no unit); allowed: at least 20Mi"),
    (container(ASYNC, "compute: {mem: 1e99}"), "; allowed: at least 20Mi"),
    (container(ASYNC, "compute: {mem: 9Ei}"), "9Ei (it is too large);"),
    (
        container(ASYNC, "compute: {mem: 64Mi, shm: 65Mi}"),
        f"7:28: {C}.compute.shm (API text): is 68157440 bytes, more than mem (67108864 bytes);",
    ),
    (container(ASYNC, "compute: {gpu: -1}"), "-1; allowed: a whole number, at least 0"),
    (
        container(ASYNC, "compute: {gpu: 1, inf: 1}"),
        "4:5: apis[0].pod.containers (API text): has containers with gpu and with inf;",
    ),
    (container(ASYNC, "compute: {gpus: 1}"), "is no known key (did you mean gpu?); allowed: cpu, gpu, inf, mem, shm;"),
    (
        container(ASYNC, "compute:"),
        "nothing; allowed: a mapping of cpu, gpu, inf, mem, shm; give it a value, or remove the key",
    ),
    # probes
    (
        container(ASYNC, "readiness_probe: {}"),
        f"7:7: {C}.readiness_probe (API text): has none of its handlers; allowed: exactly one of http_get, tcp_socket; add one",
    ),
    (container(REALTIME, "readiness_probe: {}"), "exactly one of http_get, tcp_socket, exec;"),
    (
        container(ASYNC, "readiness_probe: {http_get: {port: 1}, tcp_socket: {port: 1}}"),
        "has http_get and tcp_socket; allowed: exactly one",
    ),
    (
        container(ASYNC, "readiness_probe: {exec: {command: [a]}}"),
        f"7:25: {C}.readiness_probe.exec (API text): is not a key of AsyncAPI; allowed: for RealtimeAPI;",
    ),
    (
        container(TASK, "readiness_probe: {tcp_socket: {port: 1}}"),
        "8:7: apis[0].pod.containers[0].readiness_probe (API train): is not a key of TaskAPI; allowed: for RealtimeAPI, AsyncAPI, BatchAPI;",
    ),
    (
        container(BATCH, "pre_stop: {exec: {command: [a]}}"),
        "is not a key of BatchAPI; allowed: for RealtimeAPI, AsyncAPI;",
    ),
    (container(ASYNC, "pre_stop: {tcp_socket: {port: 1}}"), "tcp_socket (API text): is no known key"),
    (
        container(ASYNC, "liveness_probe: {exec: {command: []}}"),
        "an empty list; allowed: a list of at least one text; add one",
    ),
    (container(ASYNC, "liveness_probe: {exec: {}}"), "has no command; allowed: a list of at least one text"),
    (container(ASYNC, "liveness_probe: {http_get: {}}"), "has no port; allowed: a port"),
    (container(ASYNC, "liveness_probe: {http_get: {port: 8888}}"), "8888 (it is reserved)"),
    (container(ASYNC, "liveness_probe: {http_get: {port: 1, path: a//b}}"), "a//b (it has two slashes in a row)"),
    (container(ASYNC, 'liveness_probe: {http_get: {port: 1, path: "a b"}}'), '"a b"; allowed: a path of letters'),
    (container(ASYNC, 'liveness_probe: {http_get: {port: 1, path: ""}}'), '""; allowed: a path of letters'),
    (
        container(ASYNC, "liveness_probe: {tcp_socket: {port: 1}, period_seconds: -1}"),
        "-1; allowed: a whole number, at least 0",
    ),
    (
        container(ASYNC, "liveness_probe: {tcp_socket: {port: 1}, period_seconds: 2147483648}"),
        "2147483648; allowed: a whole number",
    ),
    (container(ASYNC, "liveness_probe: {tcp_socket: {port: http}}"), "http; allowed: a port"),
    # autoscaling
    (
        f"{ASYNC}  autoscaling: {{min_replicas: -1}}",
        "7:31: apis[0].autoscaling.min_replicas (API text): -1; allowed: a whole number, at least 0",
    ),
    (f"{ASYNC}  autoscaling: {{max_replicas: 0}}", "0; allowed: a whole number, at least 1"),
    (
        f"{ASYNC}  autoscaling: {{min_replicas: 5, max_replicas: 4}}",
        "7:17: apis[0].autoscaling.min_replicas (API text): is 5, more than max_replicas (4);",
    ),
    (
        f"{ASYNC}  autoscaling: {{init_replicas: 5, max_replicas: 4}}",
        "init_replicas (API text): is 5; allowed: from min_replicas (1) to max_replicas (4)",
    ),
    (f"{ASYNC}  autoscaling: {{init_replicas: 0}}", "is 0; allowed: from min_replicas (1)"),
    (f"{ASYNC}  autoscaling: {{target_in_flight: 0}}", "0; allowed: a number above 0"),
    (f"{ASYNC}  autoscaling: {{target_in_flight: .nan}}", ".nan (it is not finite); allowed: a number above 0"),
    (f"{ASYNC}  autoscaling: {{target_in_flight: .inf}}", ".inf (it is not finite)"),
    (f"{ASYNC}  autoscaling: {{target_in_flight: 1e999}}", "1e999 (it is not finite)"),
    (f"{ASYNC}  autoscaling: {{window: 15s}}", "15s (it is no multiple of 10s); allowed: a time with its unit"),
    (f"{ASYNC}  autoscaling: {{window: 0s}}", "0s (it is no multiple of 10s)"),
    (f"{ASYNC}  autoscaling: {{window: 60}}", "60; allowed: a time with its unit"),
    (f"{ASYNC}  autoscaling: {{window: 1:00}}", "1:00; allowed: a time with its unit"),
    (f"{ASYNC}  autoscaling: {{window: 1d}}", "1d; allowed: a time with its unit"),
    (f"{ASYNC}  autoscaling: {{upscale_stabilization_period: -1s}}", "-1s; allowed: a time with its unit"),
    (f"{ASYNC}  autoscaling: {{downscale_stabilization_period: 9999999h}}", "9999999h (it is too long)"),
    (f"{ASYNC}  autoscaling: {{max_downscale_factor: 1}}", "1; allowed: a number from 0 to less than 1"),
    (f"{ASYNC}  autoscaling: {{max_upscale_factor: 1}}", "1; allowed: a number above 1"),
    (f"{ASYNC}  autoscaling: {{downscale_tolerance: -0.1}}", "-0.1; allowed: a number from 0 to less than 1"),
    (f"{ASYNC}  autoscaling: {{upscale_tolerance: x}}", "x; allowed: a number, at least 0"),
    (
        f"{BATCH}  autoscaling: {{}}",
        "8:3: apis[0].autoscaling (API sum): is not a key of BatchAPI; allowed: for RealtimeAPI, AsyncAPI;",
    ),
    # update strategy, node groups, networking
    (
        f"{ASYNC}  update_strategy: {{max_surge: 0, max_unavailable: 0%}}",
        "7:3: apis[0].update_strategy (API text): has max_surge and max_unavailable of 0",
    ),
    (f"{ASYNC}  update_strategy: {{max_surge: 101%}}", "101%; allowed: a number of replicas (5), or a part"),
    (f"{ASYNC}  update_strategy: {{max_surge: -1}}", "-1; allowed: a number of replicas"),
    (f"{ASYNC}  update_strategy: {{max_surge: 1.5}}", "1.5; allowed: a number of replicas"),
    (f"{ASYNC}  update_strategy: {{max_unavailable: yes}}", "yes; allowed: a number of replicas"),
    (f"{ASYNC}  node_groups: []", "an empty list; allowed: a list of at least one name"),
    (
        f"{ASYNC}  node_groups: [a b]",
        "7:17: apis[0].node_groups[0] (API text): a b; allowed: a list of at least one name",
    ),
    (
        f"{SPLITTER}  node_groups: [a]",
        "is not a key of TrafficSplitter; allowed: for RealtimeAPI, AsyncAPI, BatchAPI, TaskAPI;",
    ),
    (f"{ASYNC}  networking: {{endpoint: /}}", "/ (it is the root, which no API can have)"),
    (f'{ASYNC}  networking: {{endpoint: ""}}', '""; allowed: a path of at most 1000'),
    (f"{ASYNC}  networking: {{endpoint: a//b}}", "a//b (it has two slashes in a row)"),
    (f"{ASYNC}  networking: {{endpoint: a/../b}}", "(clients take . and .. out of a path"),
    (f"{ASYNC}  networking: {{endpoint: a?b}}", "a?b; allowed: a path of at most 1000"),
    (f"{ASYNC}  networking: {{endpoint: {'a' * 1001}}}", "allowed: a path of at most 1000"),
    (f"{ASYNC}  networking:", "nothing; allowed: a mapping of endpoint"),
    # splitters
    (
        SPLITTER.replace("100", "99"),
        "3:3: apis[0].apis (API split): have weights of 99 in all without the shadow; allowed: 100",
    ),
    (SPLITTER.replace("100", "101"), "101; allowed: a whole number from 0 to 100"),
    (SPLITTER.replace("100", "100, shadow: 1"), "1; allowed: true or false"),
    (
        SPLITTER.replace(", weight: 100", ""),
        "4:5: apis[0].apis[0] (API split): has no weight; allowed: a whole number from 0 to 100",
    ),
    (SPLITTER.replace("name: answer, ", ""), "has no name; allowed: the name of a RealtimeAPI"),
    (
        SPLITTER + "  - {name: x, weight: 1, shadow: true}\n  - {name: y, weight: 1, shadow: true}\n",
        "have 2 shadows; allowed: at most one",
    ),
    (
        SPLITTER.replace("100", "50") + "  - {name: answer, weight: 50}\n",
        '5:12: apis[0].apis[1].name (API split): "answer" is the name of an API of this splitter in line 4 as well;',
    ),
    (
        SPLITTER.replace("answer", "split"),
        "4:12: apis[0].apis[0].name (API split): is of kind TrafficSplitter; allowed: a RealtimeAPI",
    ),
    (
        f"{SPLITTER}  pod: {{containers: []}}",
        "is not a key of TrafficSplitter; allowed: for RealtimeAPI, AsyncAPI, BatchAPI, TaskAPI;",
    ),
    ("- {name: a, kind: TrafficSplitter, apis: }\n", "nothing; allowed: a list of at least one RealtimeAPI"),
    # more than one API
    (
        ASYNC + ASYNC,
        '7:9: apis[1].name (API text): "text" is the name of an API in line 1 as well; allowed: each name once; rename one',
    ),
    (
        ASYNC + BATCH + "  networking: {endpoint: text/}",
        '14:26: apis[1].networking.endpoint (API sum): "/text" is the endpoint of text as well;',
    ),
    (
        ASYNC + "    - {name: api, image: a}\n",
        '7:14: apis[0].pod.containers[1].name (API text): "api" is the name of a container of this pod in line 5 as well;',
    ),
    (
        ASYNC + SPLITTER.replace("answer", "text"),
        "10:12: apis[1].apis[0].name (API split): is of kind AsyncAPI; allowed: a RealtimeAPI;",
    ),
    (ASYNC + "- 3\n", "7:3: apis[1]: is a number; allowed: a mapping"),
    (ASYNC + "-\n", "apis[1]: is nothing; allowed: a mapping"),
    (ASYNC + "  knd: 1\n", "7:3: apis[0].knd (API text): is no known key (did you mean kind?);"),
]


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[f"{at}-{case[1][:60]}" for at, case in enumerate(CASES)])
def test_a_fault_names_its_place_and_what_is_allowed(text: str, expected: str) -> None:
    assert expected in fault(text)


def test_all_faults_are_reported_at_once_in_the_order_of_the_lines() -> None:
    text = (
        pod(ASYNC, "port: 0").replace("name: text", "name: Text")
        + "  autoscaling: {window: 1s}\n"
        + BATCH.replace("main.py", "1")
    )
    assert [one.split(" ")[0] for one in faults(text)] == ["1:9:", "4:11:", "8:25:", "15:25:"]


def test_the_number_of_faults_is_limited() -> None:
    found = faults("- 3\n" * (MAX_FAULTS + 7))
    assert len(found) == MAX_FAULTS + 1
    assert found[-1] == f" and more faults; at most {MAX_FAULTS} are listed"


def test_only_the_faults_that_are_listed_are_described(monkeypatch: pytest.MonkeyPatch) -> None:
    described: list[str] = []

    def record(name: str, known: Iterable[str]) -> str:
        described.append(name)
        return did_you_mean(name, known)

    monkeypatch.setattr(checking, "did_you_mean", record)
    keys = ", ".join(f"k{at}: 1" for at in range(1000))
    assert len(faults(f"- {{name: a, kind: TaskAPI, {keys}}}\n" * 3)) == MAX_FAULTS + 1
    assert 0 < len(described) <= MAX_FAULTS + 1


def test_a_secret_of_a_container_is_not_quoted() -> None:
    text = ASYNC + "      env: {TOKEN: 12345678}\n      args: [12345678]\n      command: hunter2\n"
    assert len(faults(text)) == 3
    assert "12345678" not in str(faults(text))
    assert "hunter2" not in str(faults(text))


def test_a_long_value_is_cut() -> None:
    assert len(fault(ASYNC.replace("registry.example/text:1", "A" * 10_000))) < 300


def test_a_long_image_is_checked_at_once() -> None:
    assert parse(ASYNC.replace("registry.example/text:1", "a" * 100_000)).get("text") is not None
    assert "a container image" in fault(ASYNC.replace("registry.example/text:1", "a" * 100_000 + "-"))
