"""The HTTP probe against real servers on the loopback interface."""

import asyncio
import datetime as dt
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from dequeuer.probes.base import ProbeResult, ProbeTiming
from dequeuer.probes.http_get import MAX_BODY_BYTES, USER_AGENT, HttpGetProbe
from tests.certificates import self_signed
from tests.tcp_server import aborting, tcp_server

PATIENT = ProbeTiming(timeout_s=60)
HASTY = ProbeTiming(timeout_s=0.2)

Talk = Callable[[str, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
"""Responds to one request with this target; the connection is closed when it returns."""


class Server:
    """Records the head of every request."""

    def __init__(self, talk: Talk) -> None:
        self._talk = talk
        self.heads: list[list[str]] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[:-2]
        self.heads.append(head)
        await self._talk(head[0].split(" ")[1], reader, writer)

    @property
    def targets(self) -> list[str]:
        return [head[0] for head in self.heads]

    @property
    def hosts(self) -> list[str]:
        return [line.removeprefix("Host: ") for head in self.heads for line in head if line.startswith("Host: ")]

    def headers(self) -> list[str]:
        """Return the header lines of the last request without Host, sorted."""
        return sorted(line for line in self.heads[-1][1:] if not line.startswith("Host: "))


@asynccontextmanager
async def serving(talk: Talk, host: str = "127.0.0.1", **options: Any) -> AsyncIterator[Server]:
    server = Server(talk)
    async with tcp_server(aborting(server.serve), host, **options) as server.port:
        yield server


def canned(data: bytes) -> Talk:
    """Send these bytes and wait for the other side to hang up."""

    async def talk(_target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        await reader.read()

    return talk


def answer(status: str, *headers: str, body: bytes = b"") -> bytes:
    return "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]).encode() + body


def probe(server: Server, timing: ProbeTiming = PATIENT, **settings: Any) -> HttpGetProbe:
    return HttpGetProbe(name="web:http_get", port=server.port, timing=timing, **settings)


# --- statuses


@pytest.mark.parametrize("status", [200, 201, 206, 226, 299])
async def test_a_status_from_200_to_299_is_ready(status: int) -> None:
    async with serving(canned(answer(f"{status} X", body=b"fine"))) as server:
        assert await probe(server).check() == ProbeResult(ok=True, detail=f"HTTP {status}")


async def test_a_response_without_a_body_is_whole() -> None:
    async with serving(canned(b"HTTP/1.1 204 No Content\r\n\r\n")) as server:
        assert await probe(server).check() == ProbeResult(ok=True, detail="HTTP 204")


@pytest.mark.parametrize("status", [400, 401, 404, 429, 500, 503, 599])
async def test_any_other_status_is_not_ready_and_its_body_is_not_quoted(status: int) -> None:
    async with serving(canned(answer(f"{status} secret", body=b"secret"))) as server:
        assert await probe(server).check() == ProbeResult(ok=False, detail=f"HTTP {status}")


async def test_an_interim_response_is_skipped() -> None:
    async with serving(canned(b"HTTP/1.1 103 X\r\n\r\n" + answer("200 OK"))) as server:
        assert await probe(server).check() == ProbeResult(ok=True, detail="HTTP 200")


@pytest.mark.parametrize("status", [101, 199])
async def test_a_status_below_200_is_not_ready(status: int) -> None:
    async with serving(canned(f"HTTP/1.1 {status} X\r\n\r\n".encode())) as server:
        assert not (await probe(server, HASTY).check()).ok


@pytest.mark.parametrize("status", [300, 302, 304, 305, 399])
async def test_a_3xx_that_leads_nowhere_is_ready_with_a_warning(status: int) -> None:
    async with serving(canned(answer(f"{status} X"))) as server:
        assert await probe(server).check() == ProbeResult(ok=True, detail=f"HTTP {status}", warning=True)


# --- redirects


def countdown(location: str, status: int = 302) -> Talk:
    """Redirect `/n` to `/n-1`; respond to `/0` with 200."""

    async def talk(target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        n, port = int(target.removeprefix("/")), writer.get_extra_info("sockname")[1]
        to = f"Location: {location.format(port=port, n=n - 1)}"
        await canned(answer(f"{status} X", to, "Set-Cookie: a=b", body=b"moved") if n else answer("200 OK"))(
            target, reader, writer
        )

    return talk


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("location", ["/{n}", "{n}", "http://127.0.0.1:{port}/{n}", "//127.0.0.1:{port}/{n}"])
async def test_redirects_to_the_same_host_are_followed(status: int, location: str) -> None:
    async with serving(countdown(location, status)) as server:
        assert await probe(server, path="/2").check() == ProbeResult(ok=True, detail="HTTP 200")
    assert server.targets == ["GET /2 HTTP/1.1", "GET /1 HTTP/1.1", "GET /0 HTTP/1.1"]


async def test_another_port_is_the_same_host() -> None:
    async with (
        serving(canned(answer("500 X"))) as other,
        serving(canned(answer("302 X", f"Location: http://127.0.0.1:{other.port}/there"))) as server,
    ):
        assert await probe(server).check() == ProbeResult(ok=False, detail="HTTP 500")
    assert other.targets == ["GET /there HTTP/1.1"]


async def test_every_request_has_its_own_connection_the_same_headers_and_no_cookies() -> None:
    async with serving(countdown("/{n}")) as server:
        await probe(server, path="/1", headers=[("X-Key", "k")]).check()
    expected = ["Accept: */*", "Connection: close", f"User-Agent: {USER_AGENT}", "X-Key: k"]
    assert [sorted(head[1:])[:2] + sorted(head[1:])[3:] for head in server.heads] == [expected, expected]


async def test_ten_redirects_are_followed() -> None:
    async with serving(countdown("/{n}")) as server:
        assert await probe(server, path="/10").check() == ProbeResult(ok=True, detail="HTTP 200")
    assert len(server.heads) == 11


async def test_an_eleventh_redirect_is_ready_with_a_warning() -> None:
    async with serving(countdown("/{n}")) as server:
        result = await probe(server, path="/11").check()
    assert result == ProbeResult(ok=True, detail="HTTP 302: more than 10 redirects are not followed", warning=True)
    assert len(server.heads) == 11


async def test_a_loop_of_redirects_ends() -> None:
    async with serving(canned(answer("302 X", "Location: /"))) as server:
        result = await probe(server).check()
    assert (result.ok, result.warning) == (True, True)
    assert len(server.heads) == 11


@pytest.mark.parametrize(
    "location",
    ["http://localhost:{port}/secret", "https://example.com/secret", "//example.com/secret", "ftp://other/secret"],
)
async def test_a_redirect_to_another_host_is_not_followed(location: str) -> None:
    async with (
        serving(canned(b"")) as unused,
        serving(countdown(location.replace("{port}", str(unused.port)))) as server,
    ):
        result = await probe(server, path="/1").check()
        assert unused.heads == []
    assert result == ProbeResult(ok=True, detail="HTTP 302: a redirect to another host is not followed", warning=True)


@pytest.mark.parametrize("location", ["http://[", "http://127.0.0.1:99999999/secret", "ftp://127.0.0.1/secret"])
async def test_a_redirect_to_nonsense_is_a_failure(location: str) -> None:
    async with serving(canned(answer("302 X", f"Location: {location}"))) as server:
        result = await probe(server).check()
    assert not result.ok
    assert "secret" not in result.detail
    assert "302" in result.detail


# --- what is sent


async def test_the_default_headers() -> None:
    async with serving(canned(answer("200 OK"))) as server:
        await probe(server).check()
    assert server.targets == ["GET / HTTP/1.1"]
    assert server.hosts == [f"127.0.0.1:{server.port}"]
    assert server.headers() == ["Accept: */*", "Connection: close", f"User-Agent: {USER_AGENT}"]
    assert USER_AGENT.startswith("kube-probe/")


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ([("user-agent", "mine"), ("accept", "a/b")], ["Connection: close", "accept: a/b", "user-agent: mine"]),
        ([("User-Agent", ""), ("Accept", "")], ["Connection: close"]),
        (
            [("X-A", "1"), ("x-a", "2"), ("X-Empty", ""), ("X-Tab", "a\tb"), ("X-Utf", "é")],
            [
                "Accept: */*",
                "Connection: close",
                f"User-Agent: {USER_AGENT}",
                "X-A: 1",
                "X-Empty: ",
                "X-Tab: a\tb",
                "X-Utf: é",
                "X-A: 2",
            ],
        ),
        (
            [("Content-Length", "5"), ("transfer-encoding", "chunked"), ("Connection", "keep-alive"), ("Trailer", "x")],
            ["Accept: */*", "Connection: close", f"User-Agent: {USER_AGENT}"],
        ),
        (
            [("Accept-Encoding", "gzip"), ("Cookie", "a=b"), ("Authorization", "Bearer x")],
            [
                "Accept-Encoding: gzip",
                "Accept: */*",
                "Authorization: Bearer x",
                "Connection: close",
                "Cookie: a=b",
                f"User-Agent: {USER_AGENT}",
            ],
        ),
    ],
    ids=["replaced", "emptied", "repeated", "framing", "others"],
)
async def test_given_headers(given: list[tuple[str, str]], sent: list[str]) -> None:
    async with serving(canned(answer("200 OK"))) as server:
        assert (await probe(server, headers=given).check()).ok
    assert server.headers() == sorted(sent)


@pytest.mark.parametrize("name", ["Host", "host"])
async def test_the_host_header_is_sent_once(name: str) -> None:
    async with serving(canned(answer("200 OK"))) as server:
        await probe(server, headers=[(name, "api.example.com"), (name, "other")]).check()
    assert server.hosts == ["api.example.com"]


async def test_an_empty_host_header_is_none() -> None:
    async with serving(canned(answer("200 OK"))) as server:
        await probe(server, headers=[("Host", "")]).check()
    assert server.hosts == [f"127.0.0.1:{server.port}"]


async def test_the_host_header_survives_relative_redirects_only() -> None:
    async with serving(countdown("/{n}")) as server:
        await probe(server, path="/1", headers=[("Host", "api.example.com")]).check()
    assert server.hosts == ["api.example.com", "api.example.com"]
    async with serving(countdown("http://127.0.0.1:{port}/{n}")) as server:
        await probe(server, path="/2", headers=[("Host", "api.example.com")]).check()
    assert server.hosts == ["api.example.com", *[f"127.0.0.1:{server.port}"] * 2]


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("", "/"),
        ("healthz", "/healthz"),
        ("/a/b?c=d&e=%2F", "/a/b?c=d&e=%2F"),
        ("//a", "//a"),
        ("/a b", "/a%20b"),
        ("/é", "/%C3%A9"),
        ("/%zz", "/%25zz"),
        ("/a#part", "/a"),
        ("@example.com/", "/@example.com/"),
    ],
)
async def test_paths(path: str, target: str) -> None:
    async with serving(canned(answer("200 OK"))) as server:
        await probe(server, path=path).check()
    assert server.targets == [f"GET {target} HTTP/1.1"]


async def test_a_proxy_of_the_environment_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(canned(answer("500 X"))) as proxy, serving(canned(answer("200 OK"))) as server:
        for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        monkeypatch.delenv("no_proxy", raising=False)
        monkeypatch.delenv("NO_PROXY", raising=False)
        assert (await probe(server).check()).ok
        assert proxy.heads == []


async def test_an_ipv6_address() -> None:
    result = await HttpGetProbe(name="x", host="::1", port=1, timing=PATIENT).check()
    assert not result.ok
    assert "::1" in result.detail


async def test_when_nothing_listens_the_alternative_host_is_tried() -> None:
    async with serving(canned(answer("204 No")), host="::1") as server:
        assert (await probe(server, alternatives=("::1",)).check()).ok
        assert server.hosts == [f"[::1]:{server.port}"]
        assert not (await probe(server).check()).ok
    result = await probe(server, alternatives=("::1",)).check()
    assert not result.ok
    assert "127.0.0.1" in result.detail


# --- HTTPS


@pytest.fixture(scope="session")
def expired(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """Serve with a self-signed certificate that has expired and has another name."""
    file = tmp_path_factory.mktemp("tls") / "expired.pem"
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(self_signed(file, "10.9.8.7", dt.datetime(2020, 1, 1, tzinfo=dt.UTC)))
    return context


async def test_https_without_certificate_checks(expired: ssl.SSLContext) -> None:
    async with serving(canned(answer("200 OK", body=b"fine")), ssl=expired) as server:
        assert await probe(server, https=True).check() == ProbeResult(ok=True, detail="HTTP 200")


async def test_a_redirect_from_http_to_https(expired: ssl.SSLContext) -> None:
    async with (
        serving(canned(answer("200 OK")), ssl=expired) as secure,
        serving(canned(answer("301 X", f"Location: https://127.0.0.1:{secure.port}/"))) as server,
    ):
        assert (await probe(server).check()) == ProbeResult(ok=True, detail="HTTP 200")


async def test_https_to_a_server_without_it_is_a_failure() -> None:
    async with serving(canned(answer("200 OK"))) as server:
        assert not (await probe(server, HASTY, https=True).check()).ok


async def test_http_to_a_server_of_https_is_a_failure(expired: ssl.SSLContext) -> None:
    async with serving(canned(answer("200 OK")), ssl=expired) as server:
        assert not (await probe(server).check()).ok


# --- bodies


async def test_an_endless_body_is_not_read_to_its_end() -> None:
    cut_off = asyncio.Event()

    async def talk(_target: str, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        try:
            while True:
                writer.write(b"1000\r\n" + b"x" * 4096 + b"\r\n")
                await writer.drain()
        except ConnectionError:
            cut_off.set()

    async with serving(talk) as server:
        assert await probe(server).check() == ProbeResult(ok=True, detail="HTTP 200")
        await cut_off.wait()


@pytest.mark.parametrize("status", [200, 500])
async def test_ten_kibibytes_are_enough_to_judge(status: int) -> None:
    head = f"HTTP/1.1 {status} X\r\nContent-Length: 1000000\r\n\r\n".encode()
    async with serving(canned(head + b"x" * MAX_BODY_BYTES)) as server:
        assert await probe(server).check() == ProbeResult(ok=status == 200, detail=f"HTTP {status}")


async def test_a_smaller_body_must_be_complete_within_the_timeout() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n"
    async with serving(canned(head + b"x" * (MAX_BODY_BYTES - 1))) as server:
        result = await probe(server, HASTY).check()
    assert result == ProbeResult(ok=False, detail="no complete response within 0.2 s")


async def test_a_body_that_breaks_off_is_a_failure() -> None:
    async def talk(_target: str, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nxxx")
        await writer.drain()
        writer.write_eof()

    async with serving(talk) as server:
        assert not (await probe(server).check()).ok


async def test_a_slow_drip_is_a_timeout() -> None:
    async def talk(_target: str, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        for _ in range(1000):
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with serving(talk) as server:
        assert not (await probe(server, HASTY).check()).ok


async def test_a_compressed_body_is_not_decoded() -> None:
    async with serving(canned(answer("200 OK", "Content-Encoding: gzip", body=b"no gzip at all"))) as server:
        assert (await probe(server).check()).ok


# --- servers that misbehave


async def test_a_server_that_never_responses_is_a_timeout() -> None:
    async with serving(canned(b"")) as server:
        result = await probe(server, HASTY).check()
    assert result == ProbeResult(ok=False, detail="no complete response within 0.2 s")


async def test_the_timeout_covers_all_redirects_together() -> None:
    async def talk(target: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.15)
        await canned(answer("302 X", "Location: /"))(target, reader, writer)

    async with serving(talk) as server:
        assert not (await probe(server, HASTY).check()).ok
        assert len(server.heads) <= 2


async def test_a_port_without_a_listener() -> None:
    with socket.socket() as bound:  # bound but not listening: no other process can take the port
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
        result = await HttpGetProbe(name="web:http_get", port=port, timing=PATIENT).check()
    assert not result.ok
    assert str(port) in result.detail


async def flood(_target: str, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while True:
        writer.write(b"X-Secret: secret\r\n" * 100)
        await writer.drain()


async def long_line(_target: str, _reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nX-Secret: ")
    while True:
        writer.write(b"secret" * 1000)
        await writer.drain()


@pytest.mark.parametrize(
    "talk",
    [
        flood,
        long_line,
        canned(b"HTTP/1.1 200 OK\r\nX secret: x\r\n\r\n"),
        canned(b"HTTP/1.1 200 OK\r\nContent-Length: secret\r\n\r\n"),
        canned(b"HTTP/1.1 20 secret\r\n\r\n"),
        canned(b"220 smtp.example.com ESMTP secret\r\n"),
        canned(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nsecret\r\n"),
    ],
    ids=["flood", "long line", "header", "length", "status", "smtp", "chunk"],
)
async def test_what_is_no_http_is_a_failure_and_is_not_quoted(talk: Talk) -> None:
    async with serving(talk) as server:
        result = await probe(server).check()
    assert not result.ok
    assert result.detail.startswith("no valid HTTP response (")
    assert "secret" not in result.detail


async def test_a_long_header_is_no_fault() -> None:
    async with serving(canned(answer("200 OK", f"X-Long: {'x' * 40_000}"))) as server:
        assert (await probe(server).check()).ok


async def test_a_server_that_hangs_up_without_a_response() -> None:
    async def talk(_target: str, _reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        return

    async with serving(talk) as server:
        result = await probe(server).check()
    assert not result.ok
    assert len(result.detail) <= 256


@pytest.mark.parametrize("host", ["a b", "[", "x" * 300, "no-such-host.invalid"])
async def test_an_invalid_host_is_a_failure(host: str) -> None:
    result = await HttpGetProbe(name="x", host=host, port=1, timing=PATIENT).check()
    assert not result.ok
    assert len(result.detail) <= 256


async def test_a_cancelled_check_closes_its_connection() -> None:
    asked, hung_up = asyncio.Event(), asyncio.Event()

    async def talk(_target: str, reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        asked.set()
        await reader.read()
        hung_up.set()

    async with serving(talk) as server:
        check = asyncio.create_task(probe(server).check())
        await asked.wait()
        check.cancel()
        with pytest.raises(asyncio.CancelledError):
            await check
        await hung_up.wait()
