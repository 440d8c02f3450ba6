from __future__ import annotations

import asyncio
import errno
import socket
from typing import Self

import aiohttp
import pytest

from dequeuer.core.errors import FatalError
from dequeuer.http.listening import EVERY_ADDRESS, addresses_text, open_listeners
from dequeuer.observability.admin import AdminServer
from dequeuer.settings.programs import OPTIONS

BOTH = ("127.0.0.1", "::1")


class Kernel:
    """Makes fake sockets. Address families may be missing, addresses in use."""

    def __init__(self, *, lacks: dict[int, int] | None = None, fails_to_bind: dict[str, int] | None = None) -> None:
        self.lacks = lacks or {}
        self.fails_to_bind = fails_to_bind or {}
        self.made: list[FakeSocket] = []

    def socket(self, family: int, _kind: int) -> socket.socket:
        if family in self.lacks:
            raise OSError(self.lacks[family], "no such family")
        self.made.append(FakeSocket(self, family))
        return self.made[-1]  # type: ignore[return-value]  # it has the methods that are used

    def listening(self) -> list[tuple[str, int]]:
        return [each.address for each in self.made if each.listens and not each.is_closed]


class FakeSocket:
    def __init__(self, kernel: Kernel, family: int) -> None:
        self.kernel, self.family = kernel, family
        self.address = ("", 0)
        self.options: set[tuple[int, int, int]] = set()
        self.listens = self.is_closed = False

    def setsockopt(self, level: int, name: int, value: int) -> None:
        self.options.add((level, name, value))

    def setblocking(self, _flag: bool) -> None:
        return

    def bind(self, address: tuple[str, int]) -> None:
        if address[0] in self.kernel.fails_to_bind:
            raise OSError(self.kernel.fails_to_bind[address[0]], "cannot bind")
        self.address = address[0], address[1] or 54321

    def listen(self, _backlog: int) -> None:
        self.listens = True

    def getsockname(self) -> tuple[str, int]:
        return self.address

    def close(self) -> None:
        self.is_closed = True

    def __enter__(self) -> Self:
        return self


def test_by_default_every_address_of_both_families() -> None:
    for option in (OPTIONS["sidecar"]["admin_hosts"], OPTIONS["gateway"]["hosts"]):
        assert option.default is not None
        assert option.parser.read(option.default) == EVERY_ADDRESS == ("0.0.0.0", "::")


async def test_each_family_has_its_own_socket_whatever_bindv6only_is() -> None:
    kernel = Kernel()
    await open_listeners(EVERY_ADDRESS, 15000, 16, make=kernel.socket)
    assert kernel.listening() == [("0.0.0.0", 15000), ("::", 15000)]
    only = (socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    assert [(each.family, only in each.options) for each in kernel.made] == [
        (socket.AF_INET, False),
        (socket.AF_INET6, True),
    ]


@pytest.mark.parametrize(
    ("kernel", "left"),
    [
        (Kernel(lacks={socket.AF_INET6: errno.EAFNOSUPPORT}), "0.0.0.0"),
        (Kernel(fails_to_bind={"::": errno.EADDRNOTAVAIL}), "0.0.0.0"),
        (Kernel(lacks={socket.AF_INET: errno.EAFNOSUPPORT}), "::"),
        (Kernel(fails_to_bind={"0.0.0.0": errno.EADDRNOTAVAIL}), "::"),
    ],
)
async def test_a_machine_without_one_family_listens_on_the_other(kernel: Kernel, left: str) -> None:
    await open_listeners(EVERY_ADDRESS, 15000, 16, make=kernel.socket)
    assert kernel.listening() == [(left, 15000)]


async def test_without_any_family_it_is_an_error() -> None:
    kernel = Kernel(lacks={socket.AF_INET: errno.EAFNOSUPPORT, socket.AF_INET6: errno.EAFNOSUPPORT})
    with pytest.raises(OSError, match="no such family"):
        await open_listeners(EVERY_ADDRESS, 15000, 16, make=kernel.socket)


@pytest.mark.parametrize(
    ("hosts", "kernel"),
    [
        (EVERY_ADDRESS, Kernel(fails_to_bind={"::": errno.EADDRINUSE})),
        (EVERY_ADDRESS, Kernel(fails_to_bind={"0.0.0.0": errno.EACCES})),
        (("127.0.0.1", "::1"), Kernel(lacks={socket.AF_INET6: errno.EAFNOSUPPORT})),  # it is configured explicitly
    ],
)
async def test_nothing_listens_when_one_address_cannot_be_had(hosts: tuple[str, ...], kernel: Kernel) -> None:
    with pytest.raises(OSError, match=r"cannot bind|no such family"):
        await open_listeners(hosts, 15000, 16, make=kernel.socket)
    assert kernel.listening() == []
    assert all(each.is_closed for each in kernel.made)


async def test_both_loopbacks_answer_on_one_port() -> None:
    admin = AdminServer(BOTH, 0, lambda: b"", lambda: True, lambda: True)
    await admin.start()
    try:
        async with aiohttp.ClientSession() as client:
            for host in ("127.0.0.1", "[::1]"):
                async with client.get(f"http://{host}:{admin.port}/livez") as answer:
                    assert answer.status == 200
    finally:
        await admin.stop()
    for host in BOTH:
        with pytest.raises(OSError, match=r"refused|Connect call failed"):
            await asyncio.open_connection(host, admin.port)


async def test_a_port_in_use_for_one_family_is_fatal_and_the_other_socket_is_closed() -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as taken:
        port = taken.getsockname()[1]
        admin = AdminServer(BOTH, port, lambda: b"", lambda: True, lambda: True)
        with pytest.raises(FatalError, match=rf"127\.0\.0\.1:{port}, \[::1\]:{port}.*DEQUEUER_ADMIN_HOST"):
            await admin.start()
    with pytest.raises(OSError, match=r"refused|Connect call failed"):
        await asyncio.open_connection("127.0.0.1", port)


async def test_a_name_is_resolved() -> None:
    listeners = await open_listeners(["localhost"], 0, 1)
    try:
        assert {listener.getsockname()[0] for listener in listeners} <= set(BOTH)
        assert len({listener.getsockname()[1] for listener in listeners}) == 1
    finally:
        for listener in listeners:
            listener.close()


def test_addresses_are_formatted_as_host_and_port() -> None:
    assert addresses_text(["127.0.0.1", "::1", "name"], 80) == "127.0.0.1:80, [::1]:80, name:80"
