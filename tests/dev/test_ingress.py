from __future__ import annotations

import asyncio
import socket

import pytest

from dequeuer.dev.forwarder import Forwarder
from dequeuer.dev.ingress import Ingress
from dequeuer.process.ports import HOST, free_ports

APIS = "ingressgateway-apis.istio-system.svc.cluster.local"
OPERATOR = "ingressgateway-operator.istio-system.svc.cluster.local"


async def test_the_first_free_address_is_that_of_both_names() -> None:
    with socket.socket() as other:
        other.bind((HOST, 0))
        other.listen()
        port = other.getsockname()[1]
        made = Ingress(4001)
        await made.open([HOST, "127.16.0.9"] if _has_more_addresses() else [], port)
    if _has_more_addresses():
        assert [(one.name, one.variable, one.host, one.has_name) for one in made.services] == [
            (APIS, "INGRESSGATEWAY_APIS", "127.16.0.9", True),
            (OPERATOR, "INGRESSGATEWAY_OPERATOR", "127.16.0.9", True),
        ]
        assert made.notice == ""
    await made.stop(asyncio.Event())


def _has_more_addresses() -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.16.0.9", 0))
        except OSError:
            return False
    return True


async def test_without_names_containers_have_the_variables_of_the_gateway_and_people_are_told() -> None:
    made = Ingress(4001)
    assert [(one.host, one.port, one.has_name) for one in made.services] == [(HOST, 4001, False)] * 2
    assert made.notice == (
        f"containers do not find http://{APIS}/ and http://{OPERATOR}/: containers have no /etc/hosts of their own here.\n"
        "    They reach the gateway at http://$(INGRESSGATEWAY_APIS_SERVICE_HOST):$(INGRESSGATEWAY_APIS_SERVICE_PORT)/"
    )


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (PermissionError(), "port 80 needs root, or sysctl net.ipv4.ip_unprivileged_port_start=80"),
        (OSError(98, "in use"), "port 80 is in use by another program"),
        (OSError(99, "no such address"), "port 80: [Errno 99] no such address"),
    ],
)
async def test_an_address_that_cannot_be_had_is_told_with_the_reason(
    monkeypatch: pytest.MonkeyPatch, error: OSError, reason: str
) -> None:
    async def listen(self: Forwarder, host: str, port: int) -> int:
        raise error

    monkeypatch.setattr(Forwarder, "listen", listen)
    made = Ingress(4001)
    await made.open(["127.16.0.1", "127.16.0.2"])
    assert f": {reason}.\n" in made.notice
    assert not any(one.has_name for one in made.services)


async def test_its_port_is_free_again_after_a_stop() -> None:
    (port,) = free_ports(1)
    for _ in range(2):
        made = Ingress(4001)
        await made.open([HOST], port)
        assert made.obstacle == ""
        await made.stop(asyncio.Event())
