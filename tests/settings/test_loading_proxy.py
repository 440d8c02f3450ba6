from __future__ import annotations

import json
from pathlib import Path

import pytest

from dequeuer.core.errors import ConfigurationError
from dequeuer.probes.spec import ProbeRules, load_probes
from dequeuer.settings import load_proxy
from dequeuer.settings.auto_workers import AutoWorkers

PROXY = {"DEQUEUER_MAX_CONCURRENCY": "4", "DEQUEUER_MAX_QUEUE_LENGTH": "100"}


def faults(argv: list[str], environ: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load_proxy(argv, environ)
    return list(caught.value.faults)


def test_the_proxy_has_the_defaults_of_cortex_and_its_own() -> None:
    settings = load_proxy([], PROXY)
    assert (settings.port, settings.admin_port, settings.user_port) == (8000, 15000, 8080)
    assert (settings.max_concurrency, settings.max_queue_length, settings.has_tcp_probe) == (4, 100, False)
    assert (settings.queue_timeout_s, settings.ready_timeout_s, settings.request_timeout_s) == (0, 10, 0)
    assert (settings.head_timeout_s, settings.body_timeout_s, settings.keepalive_timeout_s) == (10, 60, 75)
    assert (settings.max_connections, settings.max_body_bytes, settings.access_log) == (10_000, 0, 0)
    assert (settings.shutdown_delay_s, settings.shutdown_grace_s) == (5, 50)
    assert (settings.api_kind, settings.api_name, settings.user_host) == ("realtime", None, None)


def test_the_flags_are_those_of_cortex() -> None:
    argv = [
        "-port",
        "8888",
        "-admin-port",
        "15001",
        "-user-port",
        "9000",
        "-max-concurrency",
        "1",
        "-max-queue-length",
        "2",
    ]
    settings = load_proxy([*argv, "-has-tcp-probe", "-cluster-config", "/no/such.yaml"], {})
    assert (settings.port, settings.admin_port, settings.user_port) == (8888, 15001, 9000)
    assert (settings.max_concurrency, settings.max_queue_length, settings.has_tcp_probe) == (1, 2, True)


@pytest.mark.parametrize(
    ("argv", "value"),
    [
        (["-has-tcp-probe"], True),
        (["--has-tcp-probe=true"], True),
        (["-has-tcp-probe=false"], False),
        *((["-has-tcp-probe=" + text], True) for text in ("1", "t", "T", "TRUE", "True")),
        *((["-has-tcp-probe=" + text], False) for text in ("0", "f", "F", "FALSE", "False")),
        (["-has-tcp-probe", "-port", "1"], True),
        # As the operator of Cortex writes it.
        (["--has-tcp-probe", "true"], True),
        (["--has-tcp-probe", "false"], False),
        (["--has-tcp-probe", "false", "-port", "1"], False),
        ([], False),
    ],
)
def test_a_switch_takes_no_argument_that_follows_it_but_true_and_false(argv: list[str], value: bool) -> None:
    assert load_proxy(argv, PROXY).has_tcp_probe is value


def test_another_word_after_a_switch_is_a_fault() -> None:
    for word in ("yes", "TRUE", "1", ""):
        assert "not expected here" in faults(["-has-tcp-probe", word], PROXY)[0]


@pytest.mark.parametrize("text", ["0", "30001", "-1", "x", "1.5"])
def test_both_numbers_are_required_and_bounded(text: str) -> None:
    found = faults([], {"DEQUEUER_MAX_CONCURRENCY": text, "DEQUEUER_MAX_QUEUE_LENGTH": text})
    assert len(found) == 2
    assert all(f'"{text}" is not allowed' in fault for fault in found)
    assert len(faults([], {})) == 2


def test_the_number_may_be_found_by_the_proxy() -> None:
    assert load_proxy([], PROXY | {"DEQUEUER_MAX_CONCURRENCY": "auto"}).max_concurrency == AutoWorkers(maximum=100)
    assert load_proxy(["-max-concurrency=auto:7"], PROXY).max_concurrency == AutoWorkers(maximum=7)


def test_each_variable_is_read() -> None:
    given = {
        "DEQUEUER_API_KIND": "RealtimeAPI",
        "DEQUEUER_API_NAME": "my-api",
        "DEQUEUER_PROXY_HOST": "127.0.0.1",
        "DEQUEUER_PROXY_PORT": "1",
        "DEQUEUER_ADMIN_HOST": "::1",
        "DEQUEUER_ADMIN_PORT": "2",
        "DEQUEUER_USER_HOST": "10.0.0.1",
        "CORTEX_PORT": "3",
        "DEQUEUER_CONTAINER_KEEPALIVE": "false",
        "DEQUEUER_QUEUE_TIMEOUT": "1.5",
        "DEQUEUER_READY_TIMEOUT": "0",
        "DEQUEUER_REQUEST_TIMEOUT": "600",
        "DEQUEUER_HEAD_TIMEOUT": "4",
        "DEQUEUER_BODY_TIMEOUT": "5",
        "DEQUEUER_KEEPALIVE_TIMEOUT": "6",
        "DEQUEUER_MAX_CONNECTIONS": "7",
        "DEQUEUER_MAX_BODY_BYTES": "8MiB",
        "DEQUEUER_HAS_TCP_PROBE": "true",
        "DEQUEUER_SHUTDOWN_DELAY": "9",
        "DEQUEUER_SHUTDOWN_GRACE": "10",
        "DEQUEUER_ACCESS_LOG": "0.25",
        "DEQUEUER_LOG_FORMAT": "console",
    }
    settings = load_proxy([], PROXY | given)
    assert (settings.api_kind, settings.api_name, settings.hosts, settings.port) == (
        "realtime",
        "my-api",
        ("127.0.0.1",),
        1,
    )
    assert (settings.admin_hosts, settings.admin_port) == (("::1",), 2)
    assert (settings.user_host, settings.user_port, settings.container_keepalive) == ("10.0.0.1", 3, False)
    assert (settings.queue_timeout_s, settings.ready_timeout_s, settings.request_timeout_s) == (1.5, 0, 600)
    assert (settings.head_timeout_s, settings.body_timeout_s, settings.keepalive_timeout_s) == (4, 5, 6)
    assert (settings.max_connections, settings.max_body_bytes, settings.has_tcp_probe) == (7, 8 << 20, True)
    assert (settings.shutdown_delay_s, settings.shutdown_grace_s, settings.access_log) == (9, 10, 0.25)
    assert settings.log.format == "console"


@pytest.mark.parametrize(
    "ports",
    [
        {"DEQUEUER_PROXY_PORT": "8080"},
        {"DEQUEUER_PROXY_PORT": "15000"},
        {"DEQUEUER_ADMIN_PORT": "8080"},
        {"DEQUEUER_USER_PORT": "8000"},
    ],
)
def test_no_port_is_given_twice(ports: dict[str, str]) -> None:
    assert "is given twice" in faults([], PROXY | ports)[0]


@pytest.mark.parametrize("text", ["-0.1", "1.1", "x", ""])
def test_a_share_is_from_0_to_1(text: str) -> None:
    environ = PROXY | {"DEQUEUER_ACCESS_LOG": text}
    if text:
        assert "a number from 0 to 1" in faults([], environ)[0]
    else:
        assert load_proxy([], environ).access_log == 0


def test_another_kind_is_a_fault() -> None:
    assert "RealtimeAPI" in faults([], PROXY | {"DEQUEUER_API_KIND": "async"})[0]


def probes(folder: Path, content: object, rules: ProbeRules) -> list[str]:
    path = folder / "probes.json"
    path.write_text(json.dumps(content))
    return [probe.name for probe in load_probes(str(path), 8080, rules=rules)]


def test_probes_of_the_kubelet_are_left_to_it(tmp_path: Path) -> None:
    content = {"a": {"exec": {"command": ["x"]}}, "b": {"grpc": {"port": 1}}, "c": {"httpGet": {"port": 1}}}
    rules = ProbeRules(leaves_others=True, always_has_default=False)
    assert probes(tmp_path, content, rules) == ["c:http_get"]
    assert probes(tmp_path, {"a": content["a"]}, rules) == ["user_port:tcp_socket"]
    assert probes(tmp_path, content, ProbeRules(leaves_others=True)) == ["c:http_get", "user_port:tcp_socket"]
    with pytest.raises(ConfigurationError):
        probes(tmp_path, content, ProbeRules())
