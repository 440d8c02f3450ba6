from __future__ import annotations

import pytest

from tests.gateway.access.stage import Stage, access_stage, bearer, entry, make_tokens

PAGE = "https://app.example.com"
ALLOW = "Access-Control-Allow-"


async def preflight(stage: Stage, origin: str, asked: str = "authorization, prefer") -> dict[str, str]:
    headers = {"Origin": origin, "Access-Control-Request-Method": "DELETE", "Access-Control-Request-Headers": asked}
    status, answer, _ = await stage.ask("OPTIONS", "/text/id1", headers)
    assert status == 204
    return {name.removeprefix(ALLOW): value for name, value in answer.items() if name.startswith(ALLOW)}


async def test_a_named_page_may_call_with_its_credentials_and_no_token_is_needed_to_ask() -> None:
    async with access_stage(make_tokens(entry("web")), cors_origins=(PAGE, "http://localhost:3000")) as stage:
        assert await preflight(stage, PAGE) == {
            "Origin": PAGE,
            "Credentials": "true",
            "Methods": "DELETE",
            "Headers": "authorization, prefer",
        }
        assert (await preflight(stage, PAGE, "x-dequeuer-priority"))["Headers"] == "x-dequeuer-priority"
        status, answer, _ = await stage.ask("POST", "/text", bearer("web") | {"Origin": PAGE}, b"x")
        assert (status, answer[f"{ALLOW}Origin"], answer["Vary"]) == (200, PAGE, "Origin")
        status, answer, _ = await stage.ask("POST", "/text", {"Origin": PAGE}, b"x")
        assert (status, answer[f"{ALLOW}Origin"]) == (401, PAGE)  # the page can read why


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example.com",
        "https://app.example.com.evil.org",
        "https://app.example.com:8443",
        "http://app.example.com",
        "https://APP.example.com",
        "https://app.example.com/",
        "https://app.example.com, https://evil.org",
        "null",
        "*",
        "",
    ],
)
async def test_an_origin_that_is_not_named_is_never_reflected(origin: str) -> None:
    async with access_stage(None, cors_origins=(PAGE,)) as stage:
        assert await preflight(stage, origin) == {}
        status, answer, _ = await stage.ask("POST", "/text", {"Origin": origin}, b"x")
        assert (status, [name for name in answer if name.startswith(ALLOW)], answer["Vary"]) == (200, [], "Origin")


async def test_any_origin_means_no_credentials() -> None:
    async with access_stage(None, cors_origins=("*",)) as stage:
        assert await preflight(stage, PAGE) == {"Origin": "*", "Methods": "DELETE", "Headers": "authorization, prefer"}
        _, answer, _ = await stage.ask("POST", "/text", {"Origin": PAGE}, b"x")
        assert f"{ALLOW}Credentials" not in answer
        assert "Vary" not in answer


async def test_no_page_may_call_when_none_is_named() -> None:
    async with access_stage(None, cors_origins=()) as stage:
        assert await preflight(stage, PAGE) == {}


@pytest.mark.parametrize("asked", ["a b", "x: y", "a,,b", "a" * 3000, "\u00e9"])
async def test_a_list_of_headers_that_is_none_is_not_reflected(asked: str) -> None:
    async with access_stage(None, cors_origins=(PAGE,)) as stage:
        assert "Headers" not in await preflight(stage, PAGE, asked)


@pytest.mark.parametrize(
    ("method", "asked", "status"),
    [
        ("POST", "content-type", 200),
        ("DELETE", "", 405),
        ("POST", "prefer", 403),
        ("POST", "cancel-after", 403),
        ("POST", "deadline", 403),
        ("POST", "idempotency-key", 403),
        ("POST", "authorization", 403),
        ("POST", "x-dequeuer-priority", 403),
    ],
)
async def test_without_the_option_pages_submit_and_ask_and_no_more(method: str, asked: str, status: int) -> None:
    headers = {"Origin": PAGE, "Access-Control-Request-Method": method, "Access-Control-Request-Headers": asked}
    async with access_stage(None) as stage:
        assert (await stage.ask("OPTIONS", "/text/id1", headers))[0] == status
        answer = (await stage.ask("GET", "/text/id1?wait=1", {"Origin": PAGE}))[1]  # needs no preflight
        assert answer[f"{ALLOW}Origin"] == "*"
