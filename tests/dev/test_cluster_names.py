from __future__ import annotations

import ipaddress

from dequeuer.dev.cluster_names import Service, hosts_of, own_addresses, variables_of

NAMED = Service(name="api-my-text", host="127.20.0.1", port=8888, has_name=True)
UNNAMED = Service(name="api-b", host="127.0.0.1", port=4002, has_name=False)


def test_containers_find_services_by_the_variables_of_kubernetes() -> None:
    assert variables_of([NAMED, UNNAMED], {"NO_PROXY": "localhost", "A": "1"}) == {
        "API_MY_TEXT_SERVICE_HOST": "127.20.0.1",
        "API_MY_TEXT_SERVICE_PORT": "8888",
        "API_B_SERVICE_HOST": "127.0.0.1",
        "API_B_SERVICE_PORT": "4002",
        "NO_PROXY": "localhost,api-my-text,127.20.0.1,api-b,127.0.0.1",
        "no_proxy": "localhost,api-my-text,127.20.0.1,api-b,127.0.0.1",
    }


def test_containers_know_the_names_of_services_at_the_port_of_a_cluster() -> None:
    assert hosts_of([NAMED, UNNAMED]).endswith("\n127.20.0.1 api-my-text\n")
    assert "api-b" not in hosts_of([NAMED, UNNAMED])
    assert hosts_of([UNNAMED]) == ""


def test_addresses_that_are_tried_are_loopback_and_no_others() -> None:
    tried = [*own_addresses()]
    assert all(ipaddress.ip_address(host).is_loopback and host != "127.0.0.1" for host in tried)
    assert len(tried) == 20
