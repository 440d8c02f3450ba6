from __future__ import annotations

from dequeuer.dev.realtime_addresses import RealtimeAddresses


def test_containers_find_apis_by_the_variables_of_kubernetes() -> None:
    addresses = RealtimeAddresses(by_name={"my-text": ("127.0.0.1", 4001), "b": ("127.0.0.1", 4002)})
    assert addresses.variables == {
        "API_MY_TEXT_SERVICE_HOST": "127.0.0.1",
        "API_MY_TEXT_SERVICE_PORT": "4001",
        "API_B_SERVICE_HOST": "127.0.0.1",
        "API_B_SERVICE_PORT": "4002",
    }
    assert addresses.urls == {"my-text": "http://127.0.0.1:4001", "b": "http://127.0.0.1:4002"}


def test_every_api_has_an_address_of_its_own() -> None:
    addresses = RealtimeAddresses.choose(["a", "b", "c"])
    assert len({addresses.of(name) for name in ("a", "b", "c")}) == 3
    assert RealtimeAddresses.choose([]).urls == {}
