"""Everything can be reached and done with the keyboard, and the focus is never lost."""

from __future__ import annotations

import re

from playwright.sync_api import Page, expect

from tests.integration.page.chromium import Look
from tests.integration.page.contract_server import ContractServer
from tests.integration.page.world import FAILED_ID, JOB_ID, RUNNING_ID, at, request


def focused(page: Page, attribute: str) -> str | None:
    found: str | None = page.evaluate("(name) => document.activeElement.getAttribute(name)", attribute)
    return found


def test_the_first_tab_leads_past_the_navigation(look: Look) -> None:
    page = look.open("#/api/transcribe")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("main")).to_be_focused()
    assert page.url.endswith("#/api/transcribe")


def test_a_table_is_one_stop_and_arrows_go_through_its_rows(look: Look) -> None:
    page = look.open("#/api/transcribe")
    expect(page.locator(".rows .row[tabindex='0']")).to_have_count(1)
    page.get_by_role("textbox", name="Open a request by its id").focus()
    page.keyboard.press("Tab")
    assert focused(page, "aria-rowindex") == "2"
    for key, row in (("ArrowDown", "3"), ("ArrowDown", "4"), ("ArrowUp", "3"), ("End", "101"), ("Home", "2")):
        page.keyboard.press(key)
        assert focused(page, "aria-rowindex") == row, key
        expect(page.locator(".rows .row:focus")).to_be_in_viewport()
    for key, rows in (("PageDown", range(10, 40)), ("PageUp", range(2, 3))):
        page.keyboard.press(key)
        assert int(focused(page, "aria-rowindex") or "0") in rows, key
        expect(page.locator(".rows .row:focus")).to_be_in_viewport()
    expect(page.locator(".rows .row[tabindex='0']")).to_have_count(1)


def test_a_row_keeps_the_focus_when_others_come_in_above(look: Look, server: ContractServer) -> None:
    page = look.open("#/api/transcribe")
    page.locator(".rows .row[tabindex='0']").focus()
    page.keyboard.press("ArrowDown")
    text = page.locator(".rows .row:focus .col-id").inner_text()
    server.send(
        "requests", {"api": "transcribe", "requests": [{**request(0), "id": "new", "created": "2026-11-27T09:31:00Z"}]}
    )
    expect(page.locator(".rows .row:focus")).to_have_attribute("aria-rowindex", "4")
    assert page.locator(".rows .row:focus .col-id").inner_text() == text


def test_enter_opens_a_request_escape_closes_it_and_the_focus_comes_back(look: Look) -> None:
    page = look.open("#/api/transcribe")
    expect(page.get_by_role("grid")).to_contain_text(FAILED_ID)
    page.locator(".rows .row[tabindex='0']").focus()
    for _ in range(5):
        page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name=f"Request {FAILED_ID}")).to_be_visible()
    for _ in range(12):  # the focus stays in the dialog, or goes to the browser's own controls
        page.keyboard.press("Tab")
        assert page.evaluate(
            "document.activeElement === document.body || document.activeElement.closest('dialog') !== null"
        )
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".rows .row:focus")).to_contain_text(FAILED_ID)
    assert page.url.endswith("#/api/transcribe")


def test_the_focus_comes_back_to_its_request_although_others_came_in_above(look: Look, server: ContractServer) -> None:
    page = look.open("#/api/transcribe")
    page.locator(".rows .row", has_text=FAILED_ID).click()
    expect(page.get_by_role("dialog", name=f"Request {FAILED_ID}")).to_be_visible()
    new = [{**request(0), "id": f"new-{number}", "created": at(-number)} for number in range(3)]
    server.send("requests", {"api": "transcribe", "requests": new})
    expect(page.locator(".rows")).to_contain_text("new-2")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".rows .row:focus")).to_contain_text(FAILED_ID)
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog", name=f"Request {FAILED_ID}")).to_be_visible()


def test_arrows_go_through_the_items_of_a_job(look: Look) -> None:
    page = look.open(f"#/api/sum/job/{JOB_ID}")
    grid = page.get_by_role("grid")
    expect(grid.get_by_role("gridcell", name="Item 0, done")).to_be_visible()
    expect(grid.locator("[tabindex='0']")).to_have_count(1)
    columns = int(grid.get_attribute("aria-colcount") or "0")
    grid.locator("[tabindex='0']").focus()
    for key, item in (
        ("ArrowRight", 1),
        ("ArrowDown", 1 + columns),
        ("ArrowLeft", columns),
        ("ArrowUp", 0),
        ("End", columns - 1),
        ("Control+End", 1199),
        ("Control+Home", 0),
    ):
        page.keyboard.press(key)
        assert (focused(page, "aria-label") or "").startswith(f"Item {item}, "), key
        expect(grid.locator(":focus")).to_be_in_viewport()
    page.keyboard.press("PageDown")
    below = re.match(r"Item (\d+), ", focused(page, "aria-label") or "")
    assert below is not None
    assert int(below[1]) > columns
    assert int(below[1]) % columns == 0
    page.keyboard.press("PageUp")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Enter")
    expect(page.get_by_label("Item", exact=True)).to_contain_text('"sum": 3')
    assert (focused(page, "aria-label") or "").startswith("Item 1, ")


def test_the_focus_can_be_seen_wherever_it_is(look: Look) -> None:
    page = look.open("#/api/transcribe")
    for _ in range(22):
        page.keyboard.press("Tab")
        outline = page.evaluate("getComputedStyle(document.activeElement).outlineStyle")
        assert outline == "solid", page.evaluate("document.activeElement.outerHTML.slice(0, 200)")


def test_links_lead_to_each_view_and_the_back_button_leads_back(look: Look) -> None:
    page = look.open("#/")
    page.get_by_role("navigation").get_by_role("link", name="transcribe").click()
    page.get_by_role("grid").get_by_text(FAILED_ID).click()
    expect(page.get_by_role("dialog")).to_be_visible()
    address = page.url
    page.go_back()
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.go_back()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.goto(address)
    page.reload()
    expect(page.get_by_role("dialog", name=f"Request {FAILED_ID}")).to_be_visible()
    page.get_by_role("button", name="Close").click()
    expect(page).to_have_url(re.compile("#/api/transcribe$"))
    page.goto(f"{look.url}/#/api/none")
    expect(page.get_by_role("main")).to_contain_text('There is no API "none".')


def test_the_back_button_leaves_a_question_unanswered_with_no(look: Look, server: ContractServer) -> None:
    page = look.open("#/api/transcribe")
    page.get_by_role("grid").get_by_text(RUNNING_ID).click()
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("dialog", name="Cancel the request?")).to_be_visible()
    page.go_back()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(".rows .row:focus")).to_contain_text(RUNNING_ID)
    assert server.calls == []


def test_a_chosen_theme_holds_after_the_page_is_loaded_again(look: Look) -> None:
    page = look.open("#/")
    background = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(background)
    page.get_by_label("Colours").select_option("dark")
    dark = page.evaluate(background)
    assert dark != light
    page.reload()
    assert page.evaluate(background) == dark
    page.get_by_label("Colours").select_option("auto")
    assert page.evaluate(background) == light
