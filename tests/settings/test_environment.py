from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dequeuer.settings.environment import is_service_link, unknown_variables
from dequeuer.settings.programs import variables

KNOWN = variables()
SERVICES = ["DEQUEUER", "DEQUEUER_GATEWAY", "DEQUEUER_MY_API_2"]


def links(service: str) -> dict[str, str]:
    """Return what the kubelet makes of a Service with a port 80, named `http`."""
    at = f"{service}_PORT_80_TCP"
    return {
        f"{service}_SERVICE_HOST": "10.96.0.12",
        f"{service}_SERVICE_PORT": "80",
        f"{service}_SERVICE_PORT_HTTP": "80",
        f"{service}_PORT": "tcp://10.96.0.12:80",
        at: "tcp://10.96.0.12:80",
        f"{at}_PROTO": "tcp",
        f"{at}_PORT": "80",
        f"{at}_ADDR": "10.96.0.12",
    }


@pytest.mark.parametrize("service", SERVICES)
def test_service_links_are_no_faults(service: str) -> None:
    assert unknown_variables(links(service), KNOWN) == []


@pytest.mark.parametrize("protocol", ["udp", "sctp"])
def test_other_protocols_have_links_too(protocol: str) -> None:
    assert is_service_link("DEQUEUER_PORT", f"{protocol}://10.96.0.12:53")
    assert is_service_link(f"DEQUEUER_PORT_53_{protocol.upper()}_ADDR", "10.96.0.12")


@pytest.mark.parametrize("name", ["DEQUEUER_USR_PORT", "DEQUEUER_PORT", "DEQUEUER_ADMN_PORT"])
@pytest.mark.parametrize("value", ["8080", "", "http://a:80", "x tcp://"])
def test_a_mistyped_port_is_a_fault(name: str, value: str) -> None:
    (fault,) = unknown_variables({name: value}, KNOWN)
    assert fault.startswith(f"{name}: unknown variable")


@pytest.mark.parametrize("name", ["DEQUEUER_ADMIN_PORT", "DEQUEUER_USER_PORT", "DEQUEUER_GATEWAY_PORT", "CORTEX_PORT"])
def test_a_known_port_may_be_a_link(name: str) -> None:
    assert is_service_link(name, "tcp://1.2.3.4:80")
    assert not is_service_link(name, "8080")


def test_no_setting_but_a_port_looks_like_a_link() -> None:
    assert [name for name in KNOWN if is_service_link(name, "x")] == []
    assert all(name.endswith("_PORT") for name in KNOWN if is_service_link(name, "tcp://x"))


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("DEQUEUER_WORKER", "DEQUEUER_WORKERS"),
        ("DEQUEUER_QUEUE", "DEQUEUER_QUEUES"),
        ("DEQUEUER_RETRY_STATUS", "DEQUEUER_RETRY_STATUSES"),
        ("DEQUEUER_TIMEOUT_REQUEST", "DEQUEUER_REQUEST_TIMEOUT"),
    ],
)
def test_the_nearest_name_is_suggested_and_the_value_is_not_repeated(name: str, nearest: str) -> None:
    (fault,) = unknown_variables({name: "s3cret"}, KNOWN)
    assert f"did you mean {nearest}?" in fault
    assert "s3cret" not in fault


def test_variables_of_others_are_left_alone() -> None:
    assert unknown_variables({"PATH": "x", "DEQUEUERX": "x", "MY_DEQUEUER_X": "x", "CORTEX_VERSION": "1"}, KNOWN) == []


def test_each_unknown_name_is_reported_even_an_empty_one() -> None:
    environ = {f"DEQUEUER_X{number}": "" for number in range(1000)}
    assert len(unknown_variables(environ, KNOWN)) == 1000


@given(st.text())
def test_any_unknown_name_makes_one_printable_line(rest: str) -> None:
    name = f"DEQUEUER_{rest}"
    faults = unknown_variables({name: "1"}, KNOWN)
    assert len(faults) == (name not in KNOWN and not is_service_link(name, "1"))
    assert all(fault.isprintable() for fault in faults)
