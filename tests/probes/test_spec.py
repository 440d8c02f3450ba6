"""What `probes.json` may contain, and the faults for all other content."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dequeuer.core.errors import ConfigurationError
from dequeuer.probes.base import Probe, ProbeTiming
from dequeuer.probes.http_get import HttpGetProbe
from dequeuer.probes.spec import MAX_FAULTS, MAX_FILE_BYTES, PROBE_FIELDS, load_probes
from dequeuer.probes.tcp_socket import TcpSocketProbe

DEFAULT = TcpSocketProbe(
    name="user_port:tcp_socket",
    port=8080,
    host="127.0.0.1",
    alternatives=("::1",),
    timing=ProbeTiming(
        initial_delay_s=0,
        timeout_s=1,
        period_s=1,
        success_threshold=1,
        failure_threshold=1,
        startup_period_s=0.1,
    ),
)
TCP = {"tcpSocket": {"port": 9000}}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "probes.json"


def load(path: Path, content: object) -> list[Probe]:
    path.write_text(json.dumps(content))
    return load_probes(str(path), 8080)


def faults(path: Path, content: object) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(path, content)
    found = list(caught.value.faults)
    assert all(fault.startswith(f"{path}: ") for fault in found)
    return [fault.removeprefix(f"{path}: ") for fault in found]


# --- valid files


def test_without_a_file_there_is_the_default_probe(path: Path) -> None:
    assert load_probes(str(path), 8080) == [DEFAULT]


def test_an_empty_object_is_the_same_as_no_file(path: Path) -> None:
    assert load(path, {}) == [DEFAULT]


def test_defaults_are_those_of_kubernetes(path: Path) -> None:
    http, tcp, _ = load(path, {"web": {"httpGet": {"port": 8080}}, "db": {"tcpSocket": {"port": 9000}}})
    timing = ProbeTiming(
        initial_delay_s=0, timeout_s=1, period_s=10, success_threshold=1, failure_threshold=3, startup_period_s=1
    )
    host: Any = {"host": "127.0.0.1", "alternatives": ("::1",)}
    assert http == HttpGetProbe(
        name="web:http_get", **host, port=8080, path="/", https=False, headers=[], timing=timing
    )
    assert tcp == TcpSocketProbe(name="db:tcp_socket", **host, port=9000, timing=timing)


def test_everything_given_is_kept(path: Path) -> None:
    probe, _ = load(
        path,
        {
            "web": {
                "httpGet": {
                    "path": "/healthz?full=1",
                    "port": "8081",
                    "host": "10.0.0.7",
                    "scheme": "HTTPS",
                    "httpHeaders": [
                        {"name": "X-A", "value": "1"},
                        {"name": "x-a", "value": "2\té"},
                        {"name": "X-Empty"},
                    ],
                },
                "initialDelaySeconds": 3,
                "timeoutSeconds": 4,
                "periodSeconds": 5,
                "successThreshold": 6,
                "failureThreshold": 7,
                "terminationGracePeriodSeconds": 30,
            }
        },
    )
    assert probe == HttpGetProbe(
        name="web:http_get",
        host="10.0.0.7",
        port=8081,
        path="/healthz?full=1",
        https=True,
        headers=[("X-A", "1"), ("x-a", "2\té"), ("X-Empty", "")],
        timing=ProbeTiming(initial_delay_s=3, timeout_s=4, period_s=5, success_threshold=6, failure_threshold=7),
    )


def test_null_is_absent_as_go_writes_it(path: Path) -> None:
    absent = dict.fromkeys(PROBE_FIELDS)
    http = {"path": None, "port": 80, "host": None, "scheme": None, "httpHeaders": None}
    probes = load(
        path, {"none": None, "web": {**absent, "httpGet": http}, "tcp": {"tcpSocket": {"port": 1, "host": None}}}
    )
    assert [probe.name for probe in probes] == ["web:http_get", "tcp:tcp_socket", "user_port:tcp_socket"]


def test_zero_and_empty_mean_the_default(path: Path) -> None:
    zeros = dict.fromkeys([field for field in PROBE_FIELDS if field.endswith(("Seconds", "Threshold"))], 0)
    probe, _ = load(path, {"web": {**zeros, "httpGet": {"port": 80, "path": "", "host": "", "scheme": ""}}})
    assert probe == HttpGetProbe(name="web:http_get", port=80, alternatives=("::1",), headers=[], timing=ProbeTiming())


@pytest.mark.parametrize("host", [None, "", "localhost", "127.0.0.1"])
def test_a_tcp_probe_of_the_user_port_replaces_the_default_one(path: Path, host: str | None) -> None:
    probes = load(path, {"web": {"tcpSocket": {"port": "8080", "host": host}}})
    assert [probe.name for probe in probes] == ["web:tcp_socket"]


@pytest.mark.parametrize(
    "probe",
    [
        {"tcpSocket": {"port": 8081}},
        {"tcpSocket": {"port": 8080, "host": "10.0.0.7"}},
        {"httpGet": {"port": 8080}},
    ],
    ids=["other port", "other host", "httpGet"],
)
def test_any_other_probe_does_not(path: Path, probe: object) -> None:
    assert load(path, {"web": probe})[1:] == [DEFAULT]


@pytest.mark.parametrize("host", ["web", "web-1.ns.svc.cluster.local", "10.1.2.3", "::1", "fe80::1", "a_b"])
def test_valid_and_invalid_hosts(path: Path, host: str) -> None:
    probe = load(path, {"web": {"httpGet": {"port": 1, "host": host}}})[0]
    assert isinstance(probe, HttpGetProbe)
    assert probe.host == host


@pytest.mark.parametrize(
    ("given", "user_host", "host", "alternatives"),
    [
        (None, None, "127.0.0.1", ("::1",)),
        ("127.0.0.1", None, "127.0.0.1", ("::1",)),
        ("::1", None, "::1", ()),
        ("10.1.2.3", None, "10.1.2.3", ()),
        (None, "web", "web", ()),
        (None, "::1", "::1", ()),
        (None, "127.0.0.1", "127.0.0.1", ()),
        ("10.1.2.3", "web", "10.1.2.3", ()),
    ],
)
@pytest.mark.parametrize("kind", ["httpGet", "tcpSocket"])
def test_probes_without_a_host_ask_the_container(
    path: Path, kind: str, given: str | None, user_host: str | None, host: str, alternatives: tuple[str, ...]
) -> None:
    path.write_text(json.dumps({"web": {kind: {"port": 1, "host": given}}}))
    probe, default = load_probes(str(path), 8080, user_host)
    assert isinstance(probe, HttpGetProbe | TcpSocketProbe)
    assert (probe.host, probe.alternatives) == (host, alternatives)
    assert isinstance(default, TcpSocketProbe)
    assert default.host == (user_host or "127.0.0.1")


def test_a_tcp_probe_of_the_user_host_replaces_the_default_one(path: Path) -> None:
    path.write_text(json.dumps({"web": {"tcpSocket": {"port": 8080}}}))
    assert len(load_probes(str(path), 8080, "web")) == 1
    path.write_text(json.dumps({"web": {"tcpSocket": {"port": 8080, "host": "127.0.0.1"}}}))
    assert len(load_probes(str(path), 8080, "web")) == 2


def test_the_name_of_a_probe_is_bounded(path: Path) -> None:
    names = [probe.name for probe in load(path, {"x" * 500: TCP, "line\nbreak": TCP})]
    assert all(len(name) <= 63 + len(":tcp_socket") and name.isprintable() for name in names)


def test_headers_stay_out_of_the_repr(path: Path) -> None:
    headers = [{"name": "Authorization", "value": "Bearer abc"}]
    assert "abc" not in repr(load(path, {"web": {"httpGet": {"port": 1, "httpHeaders": headers}}}))


# --- faults

NUMBER = "allowed is a whole number from 0 to 2147483647"
PORT = "allowed is a number from 1 to 65535"
NAMED = f"{PORT}; the name of a port cannot be resolved here: give its number"
HOST = "allowed is a host name or an IP address, without a port"
UNSUPPORTED = "the kubelet can run such a probe, this sidecar cannot; use httpGet or tcpSocket"
HEADER_NAME = "is no header name (not shown: it may hold a value); allowed are letters, digits, - and _"
KNOWN = ", ".join(PROBE_FIELDS)


@pytest.mark.parametrize(
    ("probe", "fault"),
    [
        ([], f"is a list; allowed is an object with the fields {KNOWN}"),
        (7, f"is a number; allowed is an object with the fields {KNOWN}"),
        ({}, "has neither httpGet nor tcpSocket; one of them is required"),
        ({"httpGet": None}, "has neither httpGet nor tcpSocket; one of them is required"),
        (
            {"httpGet": {"port": 1}, "tcpSocket": {"port": 1}},
            "has both httpGet and tcpSocket; allowed is one of them",
        ),
        ({"exec": {"command": ["true"]}}, f"exec: {UNSUPPORTED}"),
        ({"grpc": {"port": 1}}, f"grpc: {UNSUPPORTED}"),
        ({**TCP, "exec": {"command": ["true"]}}, f"exec: {UNSUPPORTED}"),
        ({**TCP, "periodSecond": 1}, "periodSecond: is not a known field; did you mean periodSeconds?"),
        ({**TCP, "period_seconds": 1}, "period_seconds: is not a known field; did you mean periodSeconds?"),
        ({**TCP, "xyz": None}, f"xyz: is not a known field; known are {KNOWN}"),
        ({**TCP, "periodSeconds": "10"}, f'periodSeconds: is "10"; {NUMBER}'),
        ({**TCP, "periodSeconds": 1.5}, f"periodSeconds: is 1.5; {NUMBER}"),
        ({**TCP, "timeoutSeconds": True}, f"timeoutSeconds: is true; {NUMBER}"),
        ({**TCP, "timeoutSeconds": -1}, f"timeoutSeconds: is -1; {NUMBER}"),
        ({**TCP, "initialDelaySeconds": 2**31}, f"initialDelaySeconds: is 2147483648; {NUMBER}"),
        ({**TCP, "successThreshold": []}, f"successThreshold: is a list; {NUMBER}"),
        ({**TCP, "failureThreshold": {}}, f"failureThreshold: is an object; {NUMBER}"),
        ({**TCP, "terminationGracePeriodSeconds": "x"}, f'terminationGracePeriodSeconds: is "x"; {NUMBER}'),
        ({"tcpSocket": 80}, "tcpSocket: is a number; allowed is an object with the fields port, host"),
        ({"tcpSocket": {}}, f"tcpSocket.port: is missing; {PORT}"),
        ({"tcpSocket": {"port": None}}, f"tcpSocket.port: is missing; {PORT}"),
        ({"tcpSocket": {"port": 0}}, f"tcpSocket.port: is 0; {PORT}"),
        ({"tcpSocket": {"port": 65536}}, f"tcpSocket.port: is 65536; {PORT}"),
        ({"tcpSocket": {"port": "99999"}}, f'tcpSocket.port: is "99999"; {PORT}'),
        ({"tcpSocket": {"port": 80.0}}, f"tcpSocket.port: is 80.0; {PORT}"),
        ({"tcpSocket": {"port": True}}, f"tcpSocket.port: is true; {PORT}"),
        ({"tcpSocket": {"port": "http"}}, f'tcpSocket.port: is "http"; {NAMED}'),
        ({"tcpSocket": {"port": ""}}, f'tcpSocket.port: is ""; {NAMED}'),
        ({"tcpSocket": {"port": "٨٠"}}, f'tcpSocket.port: is "٨٠"; {NAMED}'),
        ({"tcpSocket": {"port": 1, "path": "/"}}, "tcpSocket.path: is not a known field; known are port, host"),
        ({"tcpSocket": {"port": 1, "host": "a b"}}, f'tcpSocket.host: is "a b"; {HOST}'),
        ({"tcpSocket": {"port": 1, "host": "h:80"}}, f'tcpSocket.host: is "h:80"; {HOST}'),
        ({"tcpSocket": {"port": 1, "host": "u@h"}}, f'tcpSocket.host: is "u@h"; {HOST}'),
        ({"tcpSocket": {"port": 1, "host": "[::1]"}}, f'tcpSocket.host: is "[::1]"; {HOST}'),
        ({"tcpSocket": {"port": 1, "host": "::1%a/b"}}, f'tcpSocket.host: is "::1%a/b"; {HOST}'),
        (
            {"tcpSocket": {"port": 1, "host": 5}},
            "tcpSocket.host: is 5; allowed is a text without control characters",
        ),
        ({"httpGet": {"port": "web"}}, f'httpGet.port: is "web"; {NAMED}'),
        ({"httpGet": {"port": 1, "scheme": "http"}}, 'httpGet.scheme: is "http"; allowed is HTTP or HTTPS'),
        ({"httpGet": {"port": 1, "schema": "HTTP"}}, "httpGet.schema: is not a known field; did you mean scheme?"),
        (
            {"httpGet": {"port": 1, "path": "/a\nb"}},
            'httpGet.path: is "/a\\nb"; allowed is a text without control characters',
        ),
        (
            {"httpGet": {"port": 1, "path": "\ud800"}},
            'httpGet.path: is "\ufffd"; allowed is a text without control characters',
        ),
        (
            {"httpGet": {"port": 1, "httpHeaders": {"A": "b"}}},
            "httpGet.httpHeaders: is an object; allowed is a list of objects with name and value",
        ),
        (
            {"httpGet": {"port": 1, "httpHeaders": ["A: b"]}},
            "httpGet.httpHeaders[0]: is a text; allowed is an object with the fields name, value",
        ),
        (
            {"httpGet": {"port": 1, "httpHeaders": [{"value": "x"}]}},
            f"httpGet.httpHeaders[0].name: {HEADER_NAME}",
        ),
        (
            {"httpGet": {"port": 1, "httpHeaders": [{"name": "A", "value": "x"}, {"name": "A B", "value": "x"}]}},
            f"httpGet.httpHeaders[1].name: {HEADER_NAME}",
        ),
        (
            {"httpGet": {"port": 1, "httpHeaders": [{"name": "A:", "value": "x"}]}},
            f"httpGet.httpHeaders[0].name: {HEADER_NAME}",
        ),
        (
            {"httpGet": {"port": 1, "httpHeaders": [{"name": "A", "values": "x"}]}},
            "httpGet.httpHeaders[0].values: is not a known field; did you mean value?",
        ),
    ],
)
def test_a_fault_names_container_field_what_was_given_and_what_is_allowed(
    path: Path, probe: object, fault: str
) -> None:
    assert faults(path, {"web": probe}) == [f"container 'web': {fault}"]


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("secret\r\nX: y", "has control characters"),
        ("secret\n", "has control characters"),
        ("secret\0", "has control characters"),
        ("secret\ud800", "has control characters"),
        (["secret"], "is a list"),
        (5, "is a number"),
        (True, "is true or false"),
    ],
)
def test_a_header_value_is_never_quoted(path: Path, value: object, found: str) -> None:
    header = {"name": "X-Key", "value": value}
    (fault,) = faults(path, {"web": {"httpGet": {"port": 1, "httpHeaders": [header]}}})
    assert fault == (
        f"container 'web': httpGet.httpHeaders[0].value: of 'X-Key' {found}; "
        "allowed is a text without control characters"
    )


def test_every_fault_is_listed_at_once(path: Path) -> None:
    content = {
        "web": {"httpGet": {"port": "http", "scheme": "FTP"}, "periodSeconds": -1},
        "fine": TCP,
        "db": {"exec": {}, "typo": 1},
    }
    found = faults(path, content)
    assert [fault.split(": ")[:2] for fault in found] == [
        ["container 'web'", "periodSeconds"],
        ["container 'web'", "httpGet.port"],
        ["container 'web'", "httpGet.scheme"],
        ["container 'db'", "typo"],
        ["container 'db'", "exec"],
    ]


def test_the_list_of_faults_is_bounded(path: Path) -> None:
    headers = [7] * 5000
    found = faults(path, {"web": {"httpGet": {"port": 1, "httpHeaders": headers}}})
    assert len(found) == MAX_FAULTS + 1
    assert found[-1] == f"and {5000 - MAX_FAULTS} more faults"


def test_what_was_given_is_clipped(path: Path) -> None:
    (fault,) = faults(path, {"x" * 500: {**TCP, "y" * 5000: 1}})
    (other,) = faults(path, {"web": {"tcpSocket": {"port": "z" * 5000}}})
    assert len(fault) < 512
    assert len(other) < 512


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "is not JSON: Expecting value"),
        (b"{", "is not JSON: Expecting property name"),
        (b"\xff\xfe{}", "is not JSON: 'utf-8' codec can't decode"),
        (b'{"web": NaN}', "is not JSON: NaN is not JSON"),
        (b'{"a":' * 100_000, "is not JSON: "),
        (b'{"a": %s}' % (b"9" * 5000), "is not JSON: "),
        (b"[]", "is a list; allowed is an object"),
        (b"null", "is null; allowed is an object"),
        (b" " * MAX_FILE_BYTES + b"{}", f"is larger than {MAX_FILE_BYTES} bytes"),
        (json.dumps(dict.fromkeys(map(str, range(101)))).encode(), "names 101 containers; allowed are at most 100"),
    ],
    ids=["empty", "cut", "bytes", "nan", "deep", "huge number", "list", "null", "large", "containers"],
)
def test_a_file_that_is_no_object_of_probes(path: Path, content: bytes, fault: str) -> None:
    path.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        load_probes(str(path), 8080)
    (found,) = caught.value.faults
    assert found.startswith(f"{path}: {fault}")
    assert len(found) < len(str(path)) + 400


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        (".", "is no regular file"),
        ("pipe", "is no regular file"),
        ("probes.json/below", "cannot be read"),
        ("nul\0byte", "cannot be read"),
    ],
    ids=["folder", "pipe", "not a folder", "nul"],
)
def test_a_file_that_cannot_be_read(path: Path, name: str, fault: str) -> None:
    path.write_text("{}")
    os.mkfifo(path.parent / "pipe")
    with pytest.raises(ConfigurationError, match=fault):
        load_probes(f"{path.parent}/{name}", 8080)


JSON: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(PROBE_FIELDS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from([*PROBE_FIELDS, "port", "host", "path", "scheme", "httpHeaders", "name", "value"])
            | st.text(max_size=8),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(content=JSON)
def test_any_file_gives_probes_or_faults(tmp_path_factory: pytest.TempPathFactory, content: Any) -> None:
    path = tmp_path_factory.getbasetemp() / "any.json"
    try:
        probes = load(path, content)
    except ConfigurationError as error:
        probes, found = [], error.faults
    else:
        found = ()
    assert bool(probes) is not bool(found)
    assert all(fault.isprintable() and fault.startswith(str(path)) for fault in found)
    assert all(probe.timing.period_s >= 1 and probe.timing.timeout_s >= 1 for probe in probes)
