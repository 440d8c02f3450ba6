"""Ten thousand rows cost what a screen of them costs: counted in elements and changes, which no machine makes slower."""

from __future__ import annotations

from playwright.sync_api import Browser, Page, expect

from tests.integration.page.chromium import FRAMES, Look, looking
from tests.integration.page.contract_server import ContractServer
from tests.integration.page.world import Json, World, at, request

ROWS = 10_000
MOST_ELEMENTS = 60
"""Rows that have elements: those that are seen in a window of this size, eight above, eight below, and the one with the focus."""
_COUNT_ELEMENTS = """
  (grid) => {
    window.elements = new Set(grid.querySelectorAll(".rows > .row"));
    window.changes = 0;
    new MutationObserver((changes) => {
      for (const { type, addedNodes, removedNodes } of changes) {
        window.changes += type === "characterData" ? 1 : addedNodes.length + removedNodes.length;
        for (const node of addedNodes) if (node.classList?.contains("row")) window.elements.add(node);
      }
    }).observe(grid, { childList: true, characterData: true, subtree: true });
  }
"""
NEXT_PAGES = "**/requests?*after=*"
_SCROLL = """
  async (grid) => {
    const frame = () => new Promise(requestAnimationFrame);
    const spaces = [];
    for (let step = 0; step <= 60; step += 1) {
      grid.scrollTop = (grid.scrollHeight * step) / 60;
      await frame();
      await frame();
      const box = grid.getBoundingClientRect();
      const middle = document.elementFromPoint(box.left + 30, box.top + box.height / 2);
      if (middle?.closest(".rows > .row") == null) spaces.push(step);
    }
    return spaces;
  }
"""


def listed() -> list[Json]:
    return [request(number + 2) for number in range(ROWS)]


def shown(look: Look, server: ContractServer, world: World) -> Page:
    """Return a page with ten thousand requests, which came as events."""
    world.requests["transcribe"] = []
    page = look.open("#/api/transcribe")
    expect(page.get_by_text("No requests here.")).to_be_visible()
    server.send("requests", {"api": "transcribe", "requests": listed()})
    expect(page.get_by_role("grid")).to_have_attribute("aria-rowcount", str(ROWS + 1))
    return page


def test_rows_that_are_not_seen_have_no_elements(look: Look, server: ContractServer, world: World) -> None:
    page = shown(look, server, world)
    grid = page.get_by_role("grid")
    grid.evaluate(_COUNT_ELEMENTS)
    assert grid.evaluate(_SCROLL) == [], "rows are missing in the middle of the table"
    elements = page.evaluate("window.elements.size")
    assert 10 < elements <= MOST_ELEMENTS, f"{elements} elements were made for {ROWS} rows"
    last = grid.locator(f"[aria-rowindex='{ROWS + 1}']")
    expect(last.locator(".col-id")).to_have_text(str(request(ROWS + 1)["id"]))
    grid.evaluate("(node) => { node.scrollTop -= 34 * 12; }")  # upwards: rows are used again before the others
    expect(grid.locator(f"[aria-rowindex='{ROWS - 30}']")).to_be_attached()
    shown_rows = grid.locator(".rows > .row:not([hidden])")
    order = shown_rows.evaluate_all("(rows) => rows.map((row) => Number(row.ariaRowIndex))")
    # The first is the one that Tab reaches, wherever it is.
    assert order == sorted(order), "screen readers read the rows in another order than they are shown"


def test_a_change_of_one_row_changes_this_row_alone(look: Look, server: ContractServer, world: World) -> None:
    page = shown(look, server, world)
    grid = page.get_by_role("grid")
    grid.evaluate(_COUNT_ELEMENTS)
    changed = {**request(5), "status": "failed", "error": {"message": "broken"}}
    server.send("requests", {"api": "transcribe", "requests": [changed]})
    expect(grid.locator("[aria-rowindex='5']")).to_contain_text("broken")
    assert page.evaluate("window.changes") <= 3


def test_the_oldest_of_more_rows_than_are_kept_are_dropped(look: Look, server: ContractServer, world: World) -> None:
    world.requests["transcribe"] = []
    page = look.open("#/api/transcribe")
    expect(page.get_by_text("No requests here.")).to_be_visible()
    for first in (0, 10_002):
        rows = [request(number) for number in range(first, first + 10_002)]
        server.send("requests", {"api": "transcribe", "requests": rows})
    expect(page.get_by_text("20,000 requests, more are not kept")).to_be_visible()
    grid = page.get_by_role("grid")
    expect(grid).to_have_attribute("aria-rowcount", "20001")
    grid.evaluate("(node) => { node.scrollTop = node.scrollHeight; }")
    expect(grid.locator("[aria-rowindex='20001'] .col-id")).to_have_text(str(request(19_999)["id"]))


def test_a_list_with_a_status_goes_on_until_its_rows_fill_a_high_window(
    browser: Browser, server: ContractServer, world: World
) -> None:
    failed = [{**request(number + 2), "status": "failed"} for number in range(700)]
    # In a page of the gateway all rows, none, none, all, none, none, all.
    world.requests["transcribe"] = [
        {**one, "status": "failed" if number // 100 % 3 == 0 and number % 100 < 25 else "completed"}
        for number, one in enumerate(failed)
    ]
    with looking(browser, server.url, size=(1280, 3000)) as look:
        page = look.open("#/api/transcribe")
        page.get_by_role("button", name="Failed", exact=True).click()
        expect(page.get_by_text("75 requests", exact=True)).to_be_visible()


def test_a_fault_of_the_next_page_is_not_asked_for_without_end(
    look: Look, server: ContractServer, world: World
) -> None:
    world.requests["transcribe"] = [request(number + 2) for number in range(350)]
    asked = look.refuse(NEXT_PAGES, "the gateway is away")
    look.stop_clock()
    page = look.open("#/api/transcribe")
    grid = page.get_by_role("grid")
    grid.evaluate("(node) => { node.scrollTop = node.scrollHeight; }")
    expect(page.get_by_text("the gateway is away")).to_be_visible()
    page.evaluate("window.passed_ms = 4999")
    grid.evaluate("(node) => { node.scrollTop -= 40; }")
    page.evaluate(FRAMES)
    assert len(asked) == 1
    with page.expect_request(NEXT_PAGES):  # nobody scrolls: the next snapshot asks
        page.evaluate("window.passed_ms = 5000")
    page.evaluate(FRAMES)
    assert len(asked) == 2
    expect(page.get_by_text("the gateway is away")).to_be_visible()
    page.unroute(NEXT_PAGES)
    page.evaluate("window.passed_ms = 10000")
    expect(grid).to_have_attribute("aria-rowcount", "201")
    expect(page.get_by_text("200 requests, scroll for more")).to_be_visible()
    look.faults.clear()  # 502 is on the console


def test_rows_that_come_in_above_do_not_ask_for_a_page_that_failed(
    look: Look, server: ContractServer, world: World
) -> None:
    world.requests["transcribe"] = [request(number + 2) for number in range(350)]
    asked = look.refuse(NEXT_PAGES, "the gateway is away")
    look.stop_clock()
    page = look.open("#/api/transcribe")
    grid = page.get_by_role("grid")
    expect(grid).to_have_attribute("aria-rowcount", "101")
    # Near the end: at the end itself it could not be scrolled further.
    grid.evaluate("(node) => { node.scrollTop = node.scrollHeight - node.clientHeight - 34 * 8; }")
    expect(page.get_by_text("the gateway is away")).to_be_visible()
    page.evaluate(FRAMES)
    before, top = len(asked), grid.evaluate("(node) => node.scrollTop")
    new = [{**request(0), "id": f"new-{number}", "created": at(-number)} for number in range(5)]
    server.send("requests", {"api": "transcribe", "requests": new})
    expect(grid).to_have_attribute("aria-rowcount", "106")
    page.evaluate(FRAMES)
    assert grid.evaluate("(node) => node.scrollTop") == top + 34 * 5
    assert len(asked) == before
    look.faults.clear()  # 502 is on the console


def test_the_pages_of_a_long_list_are_read_as_it_is_scrolled(look: Look, server: ContractServer, world: World) -> None:
    world.requests["transcribe"] = [request(number + 2) for number in range(350)]
    page = look.open("#/api/transcribe")
    grid = page.get_by_role("grid")
    for rows in (101, 201, 301, 351):
        expect(grid).to_have_attribute("aria-rowcount", str(rows))
        grid.evaluate("(node) => { node.scrollTop = node.scrollHeight; }")
    expect(page.get_by_text("350 requests", exact=True)).to_be_visible()
    assert len([path for path in server.reads if path.startswith("/api/apis/transcribe/requests")]) == 4
