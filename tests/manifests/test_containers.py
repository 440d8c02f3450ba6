import pytest

from dequeuer.manifests.containers import bytes_text
from tests.manifests.converting import Converted, api_text


@pytest.mark.parametrize(
    ("size", "text"), [(2**31, "2Gi"), (1536 * 2**20, "1536Mi"), (2048, "2Ki"), (1_000_000, "1000000"), (0, "0")]
)
def test_memory_is_written_with_the_largest_unit_that_is_exact(size: int, text: str) -> None:
    assert bytes_text(size) == text


def test_without_cpu_and_memory_nothing_is_asked_for() -> None:
    assert "resources" not in Converted(api_text("AsyncAPI", container=", compute: {cpu: null}")).container()


def test_images_are_pulled_anew_as_cortex_does() -> None:
    assert Converted(api_text("AsyncAPI")).container() == {
        "name": "api",
        "image": "sum:1",
        "imagePullPolicy": "Always",
        "resources": {"requests": {"cpu": "200m"}},
    }


def test_an_empty_command_is_not_the_same_as_none() -> None:
    assert Converted(api_text("BatchAPI", container=", command: [], args: [x]")).container()["command"] == []
    assert "command" not in Converted(api_text("AsyncAPI")).container()


def test_zeros_of_a_probe_are_left_to_kubernetes() -> None:
    zeros = (
        "initial_delay_seconds: 0, timeout_seconds: 0, period_seconds: 0, success_threshold: 0, failure_threshold: 0"
    )
    container = f", readiness_probe: {{tcp_socket: {{port: 81}}, {zeros}}}"
    assert Converted(api_text("AsyncAPI", container=container)).container()["readinessProbe"] == {
        "tcpSocket": {"port": 81}
    }


def test_containers_with_different_shm_share_the_largest_one_with_a_note_for_each() -> None:
    text = (
        "- name: sum\n  kind: AsyncAPI\n  pod:\n    containers:\n"
        "      - {name: api, image: 'a:1', compute: {shm: 64Mi}}\n"
        "      - {name: b, image: 'b:1', compute: {shm: 128Mi}}\n"
        "      - {name: c, image: 'c:1'}\n"
    )
    converted = Converted(text)
    assert converted.api()["shm"] == "128Mi"
    assert [note.split(":")[1] for note in converted.notes] == ["5", "6"]
    same = Converted(text.replace("64Mi", "128Mi").replace("      - {name: c, image: 'c:1'}\n", ""))
    assert same.api()["shm"] == "128Mi"
    assert same.notes == []


def test_inferentia_has_a_note_about_what_the_container_may_no_longer_do() -> None:
    (note,) = Converted(api_text("RealtimeAPI", container=", compute: {inf: 1}")).notes
    assert "containers[0].compute.inf (API sum)" in note
    assert "SYS_ADMIN" in note


def test_a_pre_stop_hook_is_noted_because_it_runs_beside_the_drain() -> None:
    converted = Converted(api_text("AsyncAPI", container=", pre_stop: {exec: {command: [sleep, '5']}}"))
    assert converted.container()["lifecycle"] == {"preStop": {"exec": {"command": ["sleep", "5"]}}}
    (note,) = converted.notes
    assert "containers[0].pre_stop (API sum): runs when the pod begins to end" in note
