"""Which requests are let in, over HTTP: hosts, origins, the page's own header, the token."""

from __future__ import annotations

import asyncio

import pytest

from dequeuer.ui import application as ui_application
from dequeuer.ui.guard import COOKIE, Hosts
from dequeuer.ui.headers import HEADERS
from tests.gateway.openapi.stage import application
from tests.ui.stage import page_before

TOKEN = "dq_a-token-of-the-page"


@pytest.mark.parametrize(
    ("path", "status"),
    [("/", 200), ("/static/login.js", 200), ("/api/apis", 200), ("/api/none", 404), ("/none", 404), ("/healthz", 200)],
)
async def test_every_response_has_the_headers(path: str, status: int) -> None:
    async with page_before(application()) as browser:
        answer = await browser.get(path)
    assert answer.status == status
    assert {name: answer.headers.get(name) for name in HEADERS} == dict(HEADERS)
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert answer.headers["Cache-Control"] in {"no-store", "no-cache"}


@pytest.mark.parametrize(
    "host",
    [
        *("evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "evil.example:80", "10.0.0.1", ""),
        *("127.0.0.1@evil.example", "[::1", "localhost:port"),
    ],
)
async def test_a_name_that_another_site_leads_here_is_refused(host: str) -> None:
    async with page_before(application()) as browser:
        for path in ("/", "/api/apis", "/static/login.js"):
            assert (await browser.get(path, Host=host)).status in {400, 403}


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:9000", "127.0.0.1:1", "[::1]:8090", "localhost."])
async def test_a_tunnel_may_have_another_port(host: str) -> None:
    async with page_before(application()) as browser:
        assert (await browser.get("/api/apis", Host=host)).status == 200


def test_names_are_those_of_the_settings_and_addresses_where_all_are_listened_on() -> None:
    everywhere = Hosts(["0.0.0.0", "::"], ["ui.example.com"])
    assert all(map(everywhere.has, ["10.1.2.3:80", "[fd00::1]:80", "localhost", "UI.example.com", "127.0.0.1"]))
    assert not any(map(everywhere.has, ["example.com", "x.ui.example.com", "ui.example.com.evil"]))
    one = Hosts(["10.1.2.3"], [])
    assert one.has("10.1.2.3:8090")
    assert not any(map(one.has, ["localhost", "127.0.0.1", "10.1.2.4"]))


@pytest.mark.parametrize(
    "origin", ["http://evil.example", "null", "http://127.0.0.1", "https://localhost:1", "file://", "", "http://"]
)
async def test_a_request_of_the_page_of_another_site_is_refused(origin: str) -> None:
    async with page_before(application()) as browser:
        assert (await browser.get("/api/apis", Origin=origin)).status == 403
        assert (await browser.change("PUT", "/api/apis/text?action=pause", Origin=origin)).status == 403
        assert (await browser.ask("OPTIONS", "/api/apis/text", Origin=origin)).status == 403
        own = await browser.get("/api/apis", Origin=browser.url)
        assert own.status == 200
        assert not [name for name in own.headers if name.lower().startswith("access-control")]


async def test_what_a_browser_says_of_another_site_counts() -> None:
    async with page_before(application()) as browser:
        for site in ("cross-site", "same-site"):
            assert (await browser.get("/api/apis", Sec_Fetch_Site=site)).status == 403
        assert (await browser.get("/api/apis", Sec_Fetch_Site="same-origin")).status == 200
        assert (await browser.get("/", Sec_Fetch_Site="cross-site")).status == 200, "a link to the page"


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/apis/text/requests"),
        ("DELETE", "/api/apis/text/requests/id1"),
        ("PUT", "/api/apis/text?action=pause"),
        ("PUT", "/api/apis/text/dead-letters?action=redrive"),
        ("POST", "/api/apis/sum/jobs"),
        ("DELETE", "/api/apis/sum/jobs/a"),
        ("PUT", "/api/apis/sum/jobs/a?action=pause"),
        ("POST", "/api/apis/hello/calls"),
        ("POST", "/api/login"),
    ],
)
async def test_what_changes_something_needs_the_header_that_no_other_page_can_send(method: str, path: str) -> None:
    async with page_before(application()) as browser:
        for headers in ({}, {"X_Dequeuer_UI": "0"}, {"X_Dequeuer_UI": "1, 1"}):
            answer = await browser.ask(method, path, b"{}", **headers)
            assert (answer.status, "X-Dequeuer-UI" in answer.error) == (403, True)


async def test_without_the_token_only_its_form_is_there() -> None:
    async with page_before(application(), token=TOKEN) as browser:
        index = await browser.get("/")
        assert (index.status, b'type="password"' in index.body) == (401, True)
        assert (await browser.ask("HEAD", "/")).status == 401
        assert (await browser.get("/static/login.js")).status == 200
        for path in ("/api/apis", "/api/events", "/api/apis/text/requests"):
            answer = await browser.get(path)
            assert (answer.status, answer.error) == (401, "the page needs its token: load it again")
        for wrong in ("Bearer wrong", "Bearer", f"Basic {TOKEN}", f"Bearer {TOKEN}x", "Bearer " + "x" * 8000):
            assert (await browser.get("/api/apis", Authorization=wrong)).status == 401
        assert (await browser.get("/api/apis", Authorization=f"Bearer {TOKEN}")).status == 200


async def test_the_token_opens_the_page_with_a_cookie_that_scripts_and_other_sites_do_not_get() -> None:
    async with page_before(application(), token=TOKEN) as browser:
        wrong = await browser.change("POST", "/api/login", b"wrong")
        assert (wrong.status, "Set-Cookie" in wrong.headers) == (401, False)
        opened = await browser.change("POST", "/api/login", TOKEN.encode())
        cookie = opened.headers["Set-Cookie"]
        assert opened.status == 204
        assert all(part in cookie for part in ("HttpOnly", "SameSite=Strict", "Path=/", "Max-Age="))
        assert TOKEN not in cookie
        assert "Secure" not in cookie
        over_tls = await browser.change("POST", "/api/login", TOKEN.encode(), X_Forwarded_Proto="https")
        assert "Secure" in over_tls.headers["Set-Cookie"]
        await browser.change("POST", "/api/login", TOKEN.encode())
        assert (await browser.get("/api/apis")).status == 200
        assert (await browser.get("/")).status == 200
    async with page_before(application(), token=TOKEN) as another:
        value = cookie.partition("=")[2].partition(";")[0]
        for given in (value, "", "x" * 64, "\u00e9"):
            answer = await another.get("/api/apis", Cookie=f"{COOKIE}={given}")
            assert answer.status == 401, "a cookie ends with its process"


async def test_a_page_without_a_token_cannot_be_opened_with_one() -> None:
    async with page_before(application()) as browser:
        assert (await browser.change("POST", "/api/login", b"")).status == 401
        assert (await browser.change("POST", "/api/login", b"x" * 100_000)).status == 401


@pytest.mark.parametrize(
    "name",
    ["..%2Findex.html", "%2e%2e/app.py", "..%5capp.py", "__init__.py", "index.html%00", "", "/etc/passwd", "a/b"],
)
async def test_no_path_leads_to_another_file(name: str) -> None:
    async with page_before(application()) as browser:
        answer = await browser.get(f"/static/{name}")
    assert answer.status == 404
    assert b"dequeuer.ui" not in answer.body


async def test_tokens_that_never_come_take_no_turn_from_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ui_application, "MAX_REQUESTS", 1)
    monkeypatch.setattr(ui_application, "LOGIN_TIMEOUT_S", 0.2)
    async with page_before(application(), token=TOKEN) as browser, asyncio.timeout(60):
        port = int(browser.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"POST /api/login HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nX-Dequeuer-UI: 1\r\nContent-Length: 9\r\n\r\n"
        writer.write(head.encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
        assert (await browser.get("/static/login.js")).status == 200
        writer.close()
