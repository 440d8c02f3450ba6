from __future__ import annotations

import pytest

from dequeuer.dev.realtime_addresses import RealtimeAddresses

ADDRESSES = RealtimeAddresses(by_name={"my-text": ("127.20.0.1", 8888), "b": ("127.0.0.1", 4002)})


def test_containers_find_apis_by_the_variables_of_kubernetes() -> None:
    assert ADDRESSES.variables({"NO_PROXY": "localhost", "A": "1"}) == {
        "API_MY_TEXT_SERVICE_HOST": "127.20.0.1",
        "API_MY_TEXT_SERVICE_PORT": "8888",
        "API_B_SERVICE_HOST": "127.0.0.1",
        "API_B_SERVICE_PORT": "4002",
        "NO_PROXY": "localhost,api-my-text,127.20.0.1,api-b,127.0.0.1",
        "no_proxy": "localhost,api-my-text,127.20.0.1,api-b,127.0.0.1",
    }
    assert ADDRESSES.urls == {"my-text": "http://127.20.0.1:8888", "b": "http://127.0.0.1:4002"}


def test_containers_know_the_names_of_apis_at_the_port_of_a_cluster() -> None:
    assert ADDRESSES.hosts.endswith("\n127.20.0.1 api-my-text\n")
    assert "api-b" not in ADDRESSES.hosts
    assert RealtimeAddresses(by_name={"b": ("127.0.0.1", 4002)}).hosts == ""


@pytest.mark.parametrize("with_names", [True, False])
def test_every_api_has_an_address_of_its_own(*, with_names: bool) -> None:
    addresses = RealtimeAddresses.choose(["a", "b", "c"], with_names=with_names)
    assert list(addresses.by_name) == ["a", "b", "c"]
    assert len(set(addresses.by_name.values())) == 3
    assert all(host.startswith("127.") for host, _ in addresses.by_name.values())
    assert RealtimeAddresses.choose([], with_names=with_names).urls == {}
