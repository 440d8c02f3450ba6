from __future__ import annotations

import json
from pathlib import Path

import pytest

from dequeuer.core.errors import ConfigurationError
from dequeuer.dev.addresses import Addresses
from dequeuer.dev.announcement import project_ready
from dequeuer.dev.project import load_project
from dequeuer.dev.sample_project import write_sample_project
from dequeuer.gateway.endpoints import load_endpoints

ADDRESSES = Addresses(aws=4001, gateway=4002, admin=4003, gateway_admin=4005, ui=4006, user=4004)
MIXED = """
- {name: text, kind: AsyncAPI, networking: {endpoint: /my/text}, pod: {containers: [{name: a, image: i, command: [a]}]}}
- {name: sum, kind: BatchAPI, pod: {containers: [{name: a, image: i, command: [a]}]}}
- {name: train, kind: TaskAPI, pod: {containers: [{name: a, image: i, command: [a]}]}}
- {name: hello, kind: RealtimeAPI, pod: {containers: [{name: a, image: i, command: [a]}]}}
- {name: split, kind: TrafficSplitter, apis: [{name: hello, weight: 100}]}
"""


def check(path: str) -> object:
    return load_endpoints(path, None)


def write(tmp_path: Path, text: str) -> str:
    path = tmp_path / "cortex.yaml"
    path.write_text(text)
    return str(path)


def faults(path: str) -> list[str]:
    with pytest.raises(ConfigurationError) as raised:
        load_project(path, check)
    return [fault.removeprefix(path) for fault in raised.value.faults]


def test_all_apis_are_run_and_splitters_are_served(tmp_path: Path) -> None:
    project = load_project(write(tmp_path, MIXED), check)
    assert [api.name for api in project.async_apis] == ["text"]
    assert [api.name for api in project.job_apis] == ["sum", "train"]
    assert [api.name for api in project.realtime_apis] == ["hello"]
    assert [api.name for api in project.splitters] == ["split"]
    text = project_ready(ADDRESSES, project, tmp_path)
    assert text.splitlines()[:6] == [
        "ready: http://127.0.0.1:4002",
        "  RealtimeAPI      hello  http://127.0.0.1:4002/hello",
        "  TrafficSplitter  split  http://127.0.0.1:4002/split",
        "  AsyncAPI         text   POST http://127.0.0.1:4002/my/text",
        "  BatchAPI         sum    POST http://127.0.0.1:4002/batch/sum",
        "  TaskAPI          train  POST http://127.0.0.1:4002/tasks/train",
    ]
    assert "  dequeuer jobs submit sum FILE --wait --gateway http://127.0.0.1:4002" in text
    assert f"  dequeuer jobs logs sum JOB --work-folder {tmp_path}" in text
    text = project_ready(ADDRESSES, project, tmp_path / "my jobs")
    assert f"  dequeuer jobs logs sum JOB --work-folder '{tmp_path}/my jobs'" in text


def test_the_path_is_absolute_because_containers_run_in_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, MIXED)
    monkeypatch.chdir(tmp_path)
    assert load_project("cortex.yaml", check).path == tmp_path / "cortex.yaml"


def test_faults_of_the_gateway_and_of_dev_are_told_at_once(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """
- {name: text, kind: AsyncAPI, networking: {endpoint: /batch/text}, pod: {containers: [{name: a, image: acme/text}]}}
- {name: other, kind: RealtimeAPI, pod: {containers: [{name: a, image: i, command: []}, {name: b, image: i, args: [b]}]}}
""",
    )
    found = faults(path)
    assert len(found) == 4
    assert 'the endpoint "/batch/text"' in found[0]
    assert found[1] == (
        ": apis[0].pod.containers[0].command (API text): is missing, and dev runs commands on this machine, not images; "
        "allowed: the entry point of the image acme/text as a command; write it down"
    )
    assert [fault.partition(".command")[0] for fault in found[2:]] == [
        ": apis[1].pod.containers[0]",
        ": apis[1].pod.containers[1]",
    ]


def test_faults_of_the_file_are_told_once(tmp_path: Path) -> None:
    found = faults(write(tmp_path, "- {name: A_, kind: AsyncAPI}\n- {name: b, kind: Nothing}\n"))
    assert len(found) == len(set(found)) >= 3


def test_a_file_that_was_spoiled_after_it_was_checked_is_a_fault(tmp_path: Path) -> None:
    path = write(tmp_path, "nothing")
    with pytest.raises(ConfigurationError, match="holds no list"):
        load_project(path, lambda _path: None)


def test_a_splitter_whose_api_is_not_in_the_file_is_refused_with_its_line(tmp_path: Path) -> None:
    (found,) = faults(write(tmp_path, "- {name: split, kind: TrafficSplitter, apis: [{name: hello, weight: 100}]}"))
    assert found.startswith(':1:54: apis[0].apis[0].name (API split): "hello" is not in the file; allowed: ')


def test_the_sample_project_runs_the_sample_container(tmp_path: Path) -> None:
    project = load_project(str(write_sample_project(tmp_path, ())), check)
    (api,) = project.job_apis
    assert (api.name, api.kind) == ("sample", "BatchAPI")
    (container,) = api.pod.containers
    assert container.command is not None
    assert container.command[-4:] == ("-m", "dequeuer.dev.sample_container", "--port", "$(CORTEX_PORT)")


def test_the_sample_project_of_a_realtime_api(tmp_path: Path) -> None:
    (api,) = load_project(str(write_sample_project(tmp_path, (), "realtime", 5)), check).realtime_apis
    assert (api.name, api.pod.max_concurrency, api.pod.max_queue_length) == ("sample", 5, 100)
    assert (api.pod.containers[0].command or ())[-3] == "dequeuer.dev.sample_realtime_container"


def test_the_users_command_runs_in_the_folder_in_which_it_was_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "a $(CORTEX_PORT) folder"
    folder.mkdir()
    monkeypatch.chdir(folder)
    path = write_sample_project(tmp_path, ("serve", "--port", "$(CORTEX_PORT)"))
    command = json.loads(path.read_text())[0]["pod"]["containers"][0]["command"]
    assert command == [
        *("sh", "-c", 'cd "$0" && exec "$@"', str(folder).replace("$", "$$")),
        *("serve", "--port", "$(CORTEX_PORT)"),
    ]
