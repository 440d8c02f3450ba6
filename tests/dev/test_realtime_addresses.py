from __future__ import annotations

import pytest

from dequeuer.dev.cluster_names import Service
from dequeuer.dev.realtime_addresses import RealtimeAddresses

ADDRESSES = RealtimeAddresses(by_name={"my-text": ("127.20.0.1", 8888), "b": ("127.0.0.1", 4002)})


def test_only_apis_at_the_port_of_a_cluster_can_be_found_by_their_names() -> None:
    assert ADDRESSES.services == (
        Service(name="api-my-text", host="127.20.0.1", port=8888, has_name=True),
        Service(name="api-b", host="127.0.0.1", port=4002, has_name=False),
    )
    assert ADDRESSES.urls == {"my-text": "http://127.20.0.1:8888", "b": "http://127.0.0.1:4002"}


@pytest.mark.parametrize("with_names", [True, False])
def test_every_api_has_an_address_of_its_own(*, with_names: bool) -> None:
    addresses = RealtimeAddresses.choose(["a", "b", "c"], with_names=with_names)
    assert list(addresses.by_name) == ["a", "b", "c"]
    assert len(set(addresses.by_name.values())) == 3
    assert all(host.startswith("127.") for host, _ in addresses.by_name.values())
    assert RealtimeAddresses.choose([], with_names=with_names).urls == {}
