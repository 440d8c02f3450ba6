"""The page is live, says when it is not, and connects again."""

from __future__ import annotations

import re
from typing import Final

import pytest
from playwright.sync_api import Page, expect

from tests.integration.page.chromium import FRAMES, Look
from tests.integration.page.contract_server import ContractServer
from tests.integration.page.world import NOW_S, Json, World, request
from tests.integration.waiting import eventually

_HELD_LIMITS: Final = """
  window.limits = [];
  AbortSignal.timeout = (ms) => {
    const own = new AbortController();
    limits.push({ ms, pass: () => own.abort(new DOMException("", "TimeoutError")) });
    return own.signal;
  };
"""
"""The time limits of calls pass when a test says so."""
_LIST: Final = re.compile(r"/transcribe/requests\?")


def first_pages_of(server: ContractServer) -> int:
    """Return how often the first page of the list was read."""
    return len([path for path in server.reads if _LIST.search(path) and "after=" not in path])


def test_numbers_and_faults_change_with_each_snapshot(look: Look, server: ContractServer, world: World) -> None:
    page = look.open("#/")
    row = page.get_by_role("table", name="APIs").get_by_role("row").nth(1)
    expect(row).to_contain_text("ready")
    world.apis[0].ready = False
    world.faults.append("The gateway does not answer: connection refused.")
    server.send("snapshot", world.snapshot(NOW_S + 1))
    expect(row).to_contain_text("not ready")
    expect(page.get_by_role("status").filter(has_text="connection refused")).to_be_visible()
    world.faults.clear()
    server.send("snapshot", world.snapshot(NOW_S + 2))
    expect(page.get_by_text("connection refused")).to_have_count(0)


def test_while_the_apis_are_not_known_a_person_goes_on_and_the_fault_is_told(
    look: Look, server: ContractServer
) -> None:
    page = look.open("#/api/transcribe/submit")
    editor = page.get_by_role("textbox", name="Payload")
    editor.fill('{"half": "writ')
    unknown: Json = {"time": NOW_S + 1, "apis": None, "faults": ["the gateway is away: connection refused"]}
    server.send("history", {"points": []})  # it was started anew
    server.send("snapshot", unknown)
    expect(page.locator(".faults")).to_contain_text("connection refused")
    expect(editor).to_have_value('{"half": "writ')
    expect(page.locator(".api-head dd").first).to_have_text("\N{EN DASH}")
    page.goto(f"{look.url}/#/")
    row = page.get_by_role("table", name="APIs").get_by_role("row").nth(1)
    expect(row).to_contain_text("transcribe")
    expect(row.get_by_role("cell").nth(2)).to_have_text("\N{EN DASH}")
    server.send("history", {"points": [server.world.snapshot(NOW_S)]})
    expect(row.get_by_role("cell").nth(2)).to_have_text("150")
    server.send("snapshot", unknown)
    expect(row).to_contain_text("transcribe")
    expect(row.get_by_role("cell").nth(2)).to_have_text("\N{EN DASH}")


def test_an_api_that_is_new_appears_and_nothing_else_is_made_anew(
    look: Look, server: ContractServer, world: World
) -> None:
    page = look.open("#/")
    heading = page.get_by_role("heading", name="Overview").element_handle()
    world.apis.append(type(world.apis[0])(name="added", kind="RealtimeAPI"))
    server.send("snapshot", world.snapshot(NOW_S + 1))
    expect(page.get_by_role("navigation").get_by_role("link", name="added")).to_be_visible()
    assert heading is not None
    assert heading.evaluate("(node) => node.isConnected")
    page.goto(f"{look.url}/#/api/transcribe/submit")
    editor = page.get_by_role("textbox", name="Payload")
    editor.fill('{"half": "writ')
    world.apis.append(type(world.apis[0])(name="later", kind="RealtimeAPI"))
    server.send("snapshot", world.snapshot(NOW_S + 2))
    expect(page.get_by_role("navigation").get_by_role("link", name="later", include_hidden=True)).to_have_count(1)
    expect(editor).to_have_value('{"half": "writ')


def test_a_lost_connection_is_said_and_opened_again_with_what_was_missed(
    look: Look, server: ContractServer, world: World
) -> None:
    page = look.open("#/api/transcribe")
    connection = page.locator("#connection")
    expect(page.get_by_role("grid")).to_be_visible()
    world.faults.append("the gateway is away")
    server.send("snapshot", world.snapshot(NOW_S + 1))
    expect(page.locator(".faults")).to_be_visible()
    server.refuses_streams = True
    server.end_streams()
    expect(connection).to_have_attribute("data-state", "lost")
    expect(connection).to_have_text("Not connected. It is tried again.")
    expect(page.locator("#announcements")).to_contain_text("The connection to the server is lost")
    world.requests["transcribe"].insert(0, {**request(0), "id": "missed", "created": "2026-11-27T09:31:00Z"})
    world.faults.clear()
    server.refuses_streams = False
    expect(connection).to_have_attribute("data-state", "live")
    expect(page.get_by_role("grid").get_by_text("missed")).to_be_visible()
    expect(page.locator(".faults")).to_be_hidden()
    page.evaluate(FRAMES)
    assert first_pages_of(server) == 2, "one at the beginning, one for connection and fault together"
    look.faults.clear()  # the refusals, on the console


@pytest.mark.parametrize("when", ["connected again", "a fault is over", "5 s later", "5 s later, with a row"])
def test_a_list_that_could_not_be_read_is_asked_for_again(
    look: Look, server: ContractServer, world: World, when: str
) -> None:
    world.requests["transcribe"] = listed = [request(number + 2) for number in range(150)]
    asked = look.refuse(_LIST, "the list cannot be read")
    look.stop_clock()
    page = look.open("#/api/transcribe")
    grid, note = page.get_by_role("grid"), page.get_by_text("the list cannot be read")
    expect(note).to_be_visible()
    expect(grid).to_be_hidden()
    world.faults += ["the gateway is away", "no metrics of text: nothing listens"]
    server.send("snapshot", world.snapshot(NOW_S + 1))
    expect(page.locator(".faults")).to_be_visible()
    page.evaluate(FRAMES)
    assert len(asked) == 1, "a snapshot alone is no reason"
    page.unroute(_LIST)
    if when == "connected again":
        server.end_streams()
    elif when == "a fault is over":
        world.faults.remove("the gateway is away")
        server.send("snapshot", world.snapshot(NOW_S + 2))
    else:
        if when == "5 s later, with a row":
            server.send("requests", {"api": "transcribe", "requests": listed[:1]})
            expect(grid).to_have_attribute("aria-rowcount", "2")
            expect(note).to_be_visible()
        page.evaluate("window.passed_ms = 5000")
    expect(grid).to_have_attribute("aria-rowcount", "101")
    expect(note).to_have_count(0)
    expect(page.get_by_text("100 requests, scroll for more")).to_be_visible()
    expect(page.locator(".faults")).to_contain_text("no metrics of text")
    assert first_pages_of(server) == 1
    grid.evaluate("(node) => { node.scrollTop = node.scrollHeight; }")
    expect(page.get_by_text("150 requests", exact=True)).to_be_visible()
    look.faults.clear()  # 502 is on the console


def test_a_server_that_was_started_anew_and_wants_the_token_is_told(look: Look, server: ContractServer) -> None:
    page = look.open("#/")
    connection = page.locator("#connection")
    expect(connection).to_have_attribute("data-state", "live")
    server.wants_token = True
    server.end_streams()
    expect(connection).to_have_attribute("data-state", "refused")
    expect(connection).to_have_text("The page needs its token: load it again.")
    # Another tab of the browser may have shown it.
    server.wants_token = False
    expect(connection).to_have_attribute("data-state", "live")
    look.faults.clear()  # the refusals, on the console


def test_a_page_is_live_again_while_the_gateway_still_keeps_the_server_waiting(
    look: Look, server: ContractServer
) -> None:
    page = look.open("#/")
    page.route("**/api/apis", lambda _route: None)  # without an answer
    server.refuses_streams = True
    server.end_streams()
    expect(page.locator("#connection")).to_have_attribute("data-state", "lost")
    server.refuses_streams = False
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    look.faults.clear()  # the refusals, on the console


def test_a_server_that_does_not_say_whether_it_wants_the_token_is_connected_to(
    look: Look, server: ContractServer
) -> None:
    look.page.add_init_script(_HELD_LIMITS)
    page = look.open("#/")
    page.route(f"{look.url}/", lambda _route: None)  # without an answer
    with page.expect_request(f"{look.url}/") as asked:
        server.end_streams()
    assert asked.value.method == "HEAD"
    expect(page.locator("#connection")).to_have_attribute("data-state", "lost")
    assert page.evaluate("limits.map(({ ms, pass }) => { pass(); return ms; })") == [6000]
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")


def tell(page: Page, server: ContractServer, time_s: int) -> None:
    """Send a snapshot of a time, and return when the page shows it."""
    server.world.faults[:] = [f"a fault at {time_s}"]
    server.send("snapshot", server.world.snapshot(time_s))
    expect(page.locator(".faults")).to_have_text(f"a fault at {time_s}")


def test_a_page_in_the_background_has_no_connection(look: Look, server: ContractServer) -> None:
    page = look.page
    look.stop_timers()
    page.add_init_script("window.isAway = true; Object.defineProperty(document, 'hidden', { get: () => isAway })")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url.removeprefix(look.url)))
    turn = "(isAway) => { window.isAway = isAway; document.dispatchEvent(new Event('visibilitychange')); }"
    page.goto(f"{look.url}/")
    expect(page.get_by_role("navigation").get_by_role("link", name="transcribe")).to_be_visible()
    assert "/api/apis" in asked
    assert "/api/events" not in asked
    page.evaluate(turn, False)
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    eventually(lambda: server.streams == 1, "the page to be connected")
    page.evaluate(turn, True)  # for a moment: the connection stays
    page.clock.fast_forward(4999)
    page.evaluate(turn, False)
    tell(page, server, NOW_S + 1)
    page.clock.fast_forward(4999)
    tell(page, server, NOW_S + 2)
    assert asked.count("/api/events") == 1
    page.evaluate(turn, True)
    page.clock.fast_forward(5000)
    eventually(lambda: server.streams == 0, "the page to close its connection")
    page.evaluate(turn, False)
    eventually(lambda: server.streams == 1, "the page to connect again")


def test_a_server_that_falls_silent_is_not_live(look: Look, server: ContractServer) -> None:
    look.stop_timers()
    page = look.open("#/")
    connection = page.locator("#connection")
    server.is_silent = True
    tell(page, server, NOW_S + 1)
    page.clock.fast_forward(5999)
    expect(connection).to_have_attribute("data-state", "live")
    page.clock.fast_forward(1)
    expect(connection).to_have_attribute("data-state", "lost")
    page.clock.fast_forward(1000)
    expect(connection).to_have_attribute("data-state", "live")
