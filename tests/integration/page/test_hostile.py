"""Text from clients, containers and queues never becomes markup, and never hides what it is."""

from __future__ import annotations

import json
import re
from pathlib import Path
from urllib.parse import quote

import pytest
from playwright.sync_api import Page, expect

from tests.integration.page.chromium import Look
from tests.integration.page.contract_server import STATIC
from tests.integration.page.world import JOB_ID, Api, Json, World, at

SCRIPT = "<script>window.hacked = 1</script>"
IMAGE = '<img src=x onerror="window.hacked = 1">'
DRAWING = '"><svg onload="window.hacked = 1">'
HEADER = "x\r\nSet-Cookie: hacked=1\r\n\r\n<script>window.hacked = 1</script>"
LINK = "javascript:window.hacked=1"
REVERSED = "safe\u202etxt.exe\u2066\u200b\u0000\x1b[31m"
SURROGATE = "\ud800 alone"
TEXTS = [
    SCRIPT,
    IMAGE,
    DRAWING,
    HEADER,
    LINK,
    REVERSED,
    SURROGATE,
    "__proto__",
    "constructor",
    "{{7*7}}",
    "${7*7}",
    "\u2028x",
]
ALL = " ".join(TEXTS)
API = DRAWING + REVERSED
"""The name of an API with quotes, angle brackets and characters that reorder others."""


def deep() -> Json:
    return {text: [text, {text: text}] for text in TEXTS}


@pytest.fixture
def world() -> World:
    names = [API, *TEXTS]
    documents: list[Json] = [
        {
            "id": text,
            "status": "failed" if number % 2 else text,
            "created": at(number) if number % 3 else text,
            "ended": at(number) if number % 2 else text,
            "error": {"code": text, "message": text, "status_code": text},
            "progress": {"progress": text, "message": text},
            "cancel_requested": text,
            "attempts": [{"outcome": text, "reason": text, "worker": text, "code": text, "began": text, "ended": text}],
            "result": deep(),
        }
        for number, text in enumerate(TEXTS)
    ]
    job: Json = {
        "job_id": JOB_ID,
        "status": SCRIPT,
        "start_time": SCRIPT,
        "workers": IMAGE,
        "worker_counts": {SCRIPT: IMAGE},
        "error": {"message": ALL, "source": ALL, "offset": SCRIPT},
        "output": {"s3_path": LINK},
        "progress": {"items_total": 3, "items_done": 1, "items_failed": 1, "rate": SCRIPT, "eta_seconds": None},
    }
    items: list[Json] = [
        {"index": 0, "state": "completed", "result": deep()},
        {"index": 1, "state": "failed", "error": {"code": ALL, "message": ALL, "attempts": IMAGE}},
        {"index": 2, "state": SCRIPT},
    ]
    return World(
        apis=[
            *(Api(name=name, kind="AsyncAPI", queue=3, dead=2, rate_per_s=1) for name in names),
            Api(name="jobs", kind="BatchAPI"),
            Api(name="calls", kind=SCRIPT),
        ],
        requests=dict.fromkeys(names, documents),
        details={str(document["id"]): document for document in documents},
        payloads={text: ALL.encode("utf-8", "surrogatepass") for text in TEXTS},
        jobs={"jobs": [job]},
        items={JOB_ID: items},
        dead_letters=[
            {"message_id": text, "receives": text, "id": text, "status": text, "sent": text} for text in TEXTS
        ],
        faults=TEXTS,
        answer={"status": 200, "headers": {SCRIPT: IMAGE, "Location": LINK}, "body": ALL, "duration_s": 0.1},
    )


def address(*parts: str) -> str:
    """Return the address of a view, escaped as the page does it."""
    return "#/" + "/".join(quote(part.encode("utf-8", "replace"), safe="") for part in parts)


def check(page: Page) -> None:
    """Nothing of the texts became a part of the page."""
    assert page.evaluate("window.hacked") is None
    assert page.evaluate("document.cookie") == ""
    assert page.evaluate("49..toString() === '49' && Object.prototype.hacked === undefined")
    made = page.evaluate(
        """() => [...document.querySelectorAll("script, img, iframe, object, embed, base, form[action], style, svg")]
          .filter((node) => !(node.matches("script[src^='/static/']") || node.matches("svg[viewBox]"))).map((node) => node.outerHTML)"""
    )
    assert made == []
    risky = page.evaluate(
        """() => [...document.querySelectorAll("*")].flatMap((node) => [...node.attributes])
          .filter(({ name, value }) => name.startsWith("on") || /^\\s*javascript:/i.test(value)).map(({ name, value }) => `${name}=${value}`)
          .filter((text) => !text.startsWith("aria-label=") && !text.startsWith("datetime="))"""
    )
    assert risky == []
    text = page.evaluate("document.body.innerText + document.title")
    hidden = re.findall("[\u202a-\u202e\u2066-\u2069\u200b-\u200f\u0000\x1b\ud800]", text)
    assert hidden == []


def test_texts_of_every_kind_stay_texts_in_every_view(look: Look) -> None:
    page = look.open()
    expect(page.get_by_role("table", name="APIs")).to_contain_text("<script>window.hacked = 1</script>")
    expect(page.get_by_role("table", name="APIs")).to_contain_text("safe\\u202etxt.exe")
    check(page)
    page.goto(f"{look.url}/{address('api', API)}")
    expect(page.get_by_role("heading", level=1)).to_contain_text('"><svg onload=')
    expect(page.get_by_role("grid")).to_have_attribute("aria-rowcount", str(len(TEXTS) + 1))
    check(page)
    page.goto(f"{look.url}/{address('api', API, 'dead-letters')}")
    expect(page.get_by_role("dialog").get_by_role("row")).to_have_count(1 + len(TEXTS))
    check(page)
    page.goto(f"{look.url}/{address('api', 'jobs', 'job', JOB_ID, 'item', '0')}")
    expect(page.get_by_role("region", name="Result")).to_contain_text("<script>")
    check(page)
    page.get_by_role("gridcell", name="Item 1, failed").click()
    expect(page.get_by_label("Item", exact=True).locator(".error-text")).to_contain_text("{{7*7}}")
    check(page)
    page.goto(f"{look.url}/{address('api', 'calls')}")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".answer")).to_contain_text("\\ud800 alone")
    page.get_by_text("2 headers").click()
    check(page)


@pytest.mark.parametrize(
    "text", [SCRIPT, HEADER, REVERSED, "__proto__"], ids=["script", "header", "reversed", "prototype"]
)
def test_a_request_of_a_hostile_id_is_shown_with_its_payload(look: Look, text: str) -> None:
    page = look.open(address("api", API, "request", text))
    result = page.get_by_role("region", name="Result")
    expect(result).to_contain_text("window.hacked = 1")
    page.get_by_role("button", name="Show the payload").click()
    expect(page.get_by_role("region", name="Payload")).to_contain_text("{{7*7}}")
    check(page)


@pytest.mark.parametrize(
    ("result", "shown"),
    [
        pytest.param("[" * 1000 + "1" + "]" * 1000, re.compile(r"^\[\n  \[\n"), id="deep"),
        # A browser with a smaller stack cannot write it.
        pytest.param(
            "[" * 9000 + "1" + "]" * 9000,
            re.compile(r"^(\[{9000}1\]{9000}|This is nested too deep to be shown here\.)$"),
            id="deepest",
        ),
        pytest.param("[" * 900 + "1," * 300_000 + "1" + "]" * 900, re.compile(r"^\[{900}1,1,"), id="deep and wide"),
    ],
)
def test_a_result_that_is_nested_deep_hides_nothing_of_its_request(
    look: Look, result: str, shown: re.Pattern[str]
) -> None:
    document = f'{{"id":"deep","status":"completed","result":{result}}}'
    look.page.route("**/requests/deep", lambda route: route.fulfill(body=document, content_type="application/json"))
    page = look.open(address("api", API, "request", "deep"))
    expect(page.get_by_role("region", name="Result")).to_contain_text(shown)
    expect(page.get_by_role("dialog")).to_contain_text("completed")


@pytest.mark.parametrize("name", [".", "..", "%2e%2e", "a/../../b"])
def test_no_name_of_an_address_leads_to_another_place(look: Look, name: str) -> None:
    paths: list[str] = []
    look.page.on("request", lambda request: paths.append(request.url.removeprefix(look.url)))
    page = look.open(address("api", API, "request", name))
    expect(page.get_by_role("dialog").locator(".fault")).to_be_visible()
    prefix = "/api/apis/" + address(API)[2:] + "/requests"
    asked = [path for path in paths if path.startswith("/api/") and path not in {"/api/apis", "/api/events"}]
    assert all(path.startswith(prefix) for path in asked), asked
    assert all("/.." not in path for path in asked)
    look.faults.clear()  # 404 is on the console


def test_the_browser_refuses_markup_from_strings(look: Look) -> None:
    page = look.open()
    refused = page.evaluate(
        """() => { try { document.body.innerHTML = "<b>x</b>"; return "set"; } catch (error) { return error.name; } }"""
    )
    assert refused == "TypeError"
    page.evaluate("window.violations.length = 0")
    look.faults.clear()


MARKUP = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|setHTML|srcdoc"
    r"|\beval\b|new Function|setTimeout\(\s*[\"'`]|javascript:"
)


@pytest.mark.parametrize("path", sorted(STATIC.glob("*.js")), ids=lambda path: str(path.name))
def test_no_script_makes_markup_of_strings(path: Path) -> None:
    assert MARKUP.findall(path.read_text(encoding="utf-8")) == []


def test_the_page_loads_nothing_from_elsewhere_and_has_nothing_inline() -> None:
    for path in STATIC.iterdir():
        text = path.read_text(encoding="utf-8")
        addresses = [
            found for found in re.findall(r"(?:https?:)?//[\w.-]+\.\w+", text) if "www.w3.org/" not in f"{found}/"
        ]
        assert addresses == [], path.name
    for page in STATIC.glob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", text) == [], page.name
    assert json.dumps(sorted(path.suffix for path in STATIC.iterdir())).count(".map") == 0
