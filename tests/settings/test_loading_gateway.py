from __future__ import annotations

from collections.abc import Mapping

import pytest

from dequeuer.core.errors import ConfigurationError
from dequeuer.settings import load_gateway
from tests.settings.environments import GATEWAY


def test_the_gateway_has_defaults() -> None:
    settings = load_gateway([], GATEWAY)
    assert (settings.bucket, settings.cluster_uid) == ("my-bucket", "cluster-1")
    assert (settings.hosts, settings.port, settings.shutdown_delay_s) == (("0.0.0.0", "::"), 8080, 5)
    assert dict(settings.queues) == {}
    assert (settings.max_payload_bytes, settings.inline_bytes) == (2**30, 0)
    assert settings.aws.region is None


def test_the_flags_of_the_gateway_are_those_of_cortex() -> None:
    settings = load_gateway(["-bucket", "b-1", "-cluster-uid", "c", "-port", "8888"], {})
    assert (settings.bucket, settings.cluster_uid, settings.port) == ("b-1", "c", 8888)


def test_the_variables_of_the_gateway() -> None:
    environ = GATEWAY | {
        "DEQUEUER_GATEWAY_HOST": "127.0.0.1",
        "DEQUEUER_GATEWAY_PORT": "1",
        "DEQUEUER_QUEUES": "a=https://sqs.us-west-2.amazonaws.com/1/a,b=http://localhost/1/b",
        "DEQUEUER_MAX_PAYLOAD_BYTES": "1MB",
        "DEQUEUER_SHUTDOWN_DELAY": "0.5",
        "DEQUEUER_INLINE_BYTES": "32KiB",
    }
    settings = load_gateway([], environ)
    assert (settings.hosts, settings.port, settings.max_payload_bytes) == (("127.0.0.1",), 1, 10**6)
    assert settings.shutdown_delay_s == 0.5
    assert settings.inline_bytes == 32 * 1024
    assert settings.queues == {"a": "https://sqs.us-west-2.amazonaws.com/1/a", "b": "http://localhost/1/b"}
    assert settings.aws.region == "us-west-2"


def test_the_gateway_reports_every_fault_at_once() -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_gateway(["--workers=1"], {"DEQUEUER_QUEUES": "a=x", "DEQUEUER_GATEWAY_PORT": "0"})
    told = [fault.split(" ")[0].rstrip(":") for fault in caught.value.faults]
    assert sorted(told) == [
        "--workers",
        "DEQUEUER_BUCKET",
        "DEQUEUER_CLUSTER_UID",
        "DEQUEUER_GATEWAY_PORT",
        "DEQUEUER_QUEUES",
    ]


def test_the_admin_port_is_another_one() -> None:
    environ = GATEWAY | {"DEQUEUER_GATEWAY_PORT": "8888", "DEQUEUER_ADMIN_PORT": "8888"}
    with pytest.raises(ConfigurationError, match="8888 is the port of the gateway as well"):
        load_gateway([], environ)
    assert load_gateway(["--admin-port", "1"], GATEWAY).admin_port == 1
    assert load_gateway([], GATEWAY).admin_port is None


def test_queues_of_two_regions_require_a_region() -> None:
    queues = "a=https://sqs.us-west-2.amazonaws.com/1/a,b=https://sqs.eu-west-1.amazonaws.com/1/b"
    with pytest.raises(ConfigurationError, match="eu-west-1, us-west-2"):
        load_gateway([], GATEWAY | {"DEQUEUER_QUEUES": queues})
    assert load_gateway([], GATEWAY | {"DEQUEUER_QUEUES": queues, "AWS_REGION": "us-west-2"}).aws.region == "us-west-2"


def test_priorities_are_more_queues_of_apis_that_have_one() -> None:
    base = "https://sqs.us-west-2.amazonaws.com/1"
    given = f"a/high={base}/a-high, a/low-2_x = {base}/a-low.fifo,b/high={base}/b"
    environ = GATEWAY | {"DEQUEUER_QUEUES": f"a={base}/a,b={base}/b", "DEQUEUER_PRIORITY_QUEUES": given}
    settings = load_gateway([], environ)
    assert settings.priority_queues == {
        "a": {"high": f"{base}/a-high", "low-2_x": f"{base}/a-low.fifo"},
        "b": {"high": f"{base}/b"},
    }
    assert list(settings.priority_queues["a"]) == ["high", "low-2_x"]
    assert settings.queue_urls == tuple(f"{base}/{name}" for name in ("a", "b", "a-high", "a-low.fifo", "b"))
    assert dict(load_gateway([], GATEWAY).priority_queues) == {}


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("a=http://q/1/a", '"a=http://q/1/a" does not begin with'),
        ("a/High=http://q/1/a", '"a/High=http://q/1/a" does not begin with'),
        (f"a/{'x' * 33}=http://q/1/a", "does not begin with"),
        ("a/b/c=http://q/1/a", "does not begin with"),
        ("/high=http://q/1/a", "does not begin with"),
        ("a/high=", '"" is not the URL of a queue'),
        ("a/high=q", '"q" is not the URL of a queue'),
        ("a/high=http://q/1/a,a/high=http://q/1/b", "a/high is there 2 times"),
        (",".join(f"a/p{number}=http://q/1/a" for number in range(10)), "API a has 10 priorities"),
    ],
)
def test_a_priority_queue_that_is_none_is_named_with_what_is_allowed(given: str, named: str) -> None:
    environ = GATEWAY | {"DEQUEUER_QUEUES": "a=http://q/1/own", "DEQUEUER_PRIORITY_QUEUES": given}
    with pytest.raises(ConfigurationError) as caught:
        load_gateway([], environ)
    [fault] = caught.value.faults
    assert fault.startswith("DEQUEUER_PRIORITY_QUEUES")
    assert named in fault
    assert "allowed: name/priority=URL" in fault


def test_a_priority_of_an_api_that_has_no_queue_is_a_fault() -> None:
    given = {"DEQUEUER_PRIORITY_QUEUES": "a/high=http://q/1/a,b/high=http://q/1/b"}
    with pytest.raises(ConfigurationError) as caught:
        load_gateway([], GATEWAY | given | {"DEQUEUER_QUEUES": "a=http://q/1/own"})
    [fault] = caught.value.faults
    assert "names a priority of API b, and DEQUEUER_QUEUES names no queue for it" in fault
    with pytest.raises(ConfigurationError) as caught:
        load_gateway([], GATEWAY | given | {"DEQUEUER_QUEUES": "?"})
    assert len(caught.value.faults) == 1  # that of the queues


def test_priority_queues_of_another_region_require_a_region() -> None:
    own, high = "https://sqs.us-west-2.amazonaws.com/1/a", "https://sqs.eu-west-1.amazonaws.com/1/a"
    environ = GATEWAY | {"DEQUEUER_QUEUES": f"a={own}", "DEQUEUER_PRIORITY_QUEUES": f"a/high={high}"}
    with pytest.raises(ConfigurationError, match="eu-west-1, us-west-2"):
        load_gateway([], environ)
    assert load_gateway([], environ | {"AWS_REGION": "us-west-2"}).priority_queues["a"] == {"high": high}


@pytest.mark.parametrize("given", ["-1", "129KiB", "much"])
def test_an_inline_payload_has_to_fit_into_a_message(given: str) -> None:
    with pytest.raises(ConfigurationError, match=r"DEQUEUER_INLINE_BYTES.*128KiB"):
        load_gateway([], GATEWAY | {"DEQUEUER_INLINE_BYTES": given})


def test_the_faults_of_the_apis_are_reported_with_those_of_the_settings() -> None:
    asked: list[tuple[str, Mapping[str, str] | None, Mapping[str, tuple[str, int]]]] = []

    def check(path: str, queues: Mapping[str, str] | None, *, urls: Mapping[str, tuple[str, int]]) -> None:
        asked.append((path, queues, urls))
        raise ConfigurationError(["a.yaml:1:1: one", "a.yaml:2:1: two"])

    environ = {"DEQUEUER_APIS": "a.yaml", "DEQUEUER_CLUSTER_UID": "c"}
    with pytest.raises(ConfigurationError) as caught:
        load_gateway([], environ, check_apis=check)
    assert caught.value.faults[-2:] == ("DEQUEUER_APIS: a.yaml:1:1: one", "DEQUEUER_APIS: a.yaml:2:1: two")
    assert caught.value.faults[0].startswith("DEQUEUER_BUCKET")
    with pytest.raises(ConfigurationError):
        load_gateway([], environ | {"DEQUEUER_QUEUES": "?", "DEQUEUER_REALTIME_URLS": "a=http://b"}, check_apis=check)
    with pytest.raises(ConfigurationError):
        load_gateway([], environ | {"DEQUEUER_REALTIME_URLS": "?"}, check_apis=check)
    assert asked == [("a.yaml", {}, {}), ("a.yaml", None, {"a": ("b", 80)}), ("a.yaml", {}, {})]


def test_the_apis_are_only_checked_when_they_are_given() -> None:
    assert load_gateway([], GATEWAY, check_apis=lambda *_, **__: pytest.fail("there is no file")).apis_path is None
    environ = GATEWAY | {"DEQUEUER_APIS": "a.yaml"}
    assert load_gateway([], environ, check_apis=lambda *_, **__: None).apis_path == "a.yaml"


def test_addresses_of_realtime_apis_need_their_file() -> None:
    urls = {"DEQUEUER_REALTIME_URLS": "a=http://10.0.0.1:80, b=http://[::1]"}
    with pytest.raises(ConfigurationError, match="DEQUEUER_APIS: is missing, and DEQUEUER_REALTIME_URLS names APIs"):
        load_gateway([], GATEWAY | urls)
    settings = load_gateway([], GATEWAY | urls | {"DEQUEUER_APIS": "a.yaml"})
    assert settings.realtime_urls == {"a": ("10.0.0.1", 80), "b": ("::1", 80)}


@pytest.mark.parametrize(
    "value", ["a", "a=b:80", "a=https://b:80", "a=http://b/path", "a=http://b,a=http://c", "a=http://b:0"]
)
def test_an_address_of_a_realtime_api_is_host_and_port(value: str) -> None:
    with pytest.raises(ConfigurationError, match="DEQUEUER_REALTIME_URLS"):
        load_gateway([], GATEWAY | {"DEQUEUER_APIS": "a.yaml", "DEQUEUER_REALTIME_URLS": value})
