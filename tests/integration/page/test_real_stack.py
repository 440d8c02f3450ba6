"""The page of real programs: everything that `dequeuer dev --demo` runs, with `dequeuer ui` beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.integration.jobs.dev import Dev
from tests.integration.page.chromium import looking
from tests.integration.ui.ui_process import Ui
from tests.integration.waiting import eventually


@pytest.fixture
def page(browser: Browser, tmp_path: Path) -> Iterator[Page]:
    """The page while the demo sends its samples. The browser is asked for first: without one nothing is started."""
    with Dev(["--demo", "--stay"], tmp_path) as dev:
        eventually(lambda: [line for line in dev.lines if line.startswith("ready: ")], "the demo to be ready")
        with Ui(f"http://127.0.0.1:{dev.port}") as ui:
            ui.wait_started()
            with looking(browser, f"http://127.0.0.1:{ui.port}") as look:
                yield look.open()


def test_a_request_one_that_fails_a_job_with_its_items_and_a_call_are_seen_live(page: Page) -> None:
    navigation = page.get_by_role("navigation")
    expect(page.get_by_role("table", name="APIs").get_by_role("row")).to_have_count(4)

    navigation.get_by_role("link", name="text").click()
    requests = page.get_by_role("grid", name="Requests of text")
    failed = requests.locator(".rows .row:not([hidden])").filter(has_text=re.compile("^failed")).first
    expect(failed).to_be_visible()
    failed.click()
    panel = page.get_by_role("dialog")
    expect(panel.get_by_role("listitem")).to_have_count(5)
    expect(panel.locator(".error-box")).to_contain_text("unreachable")
    page.keyboard.press("Escape")

    page.get_by_role("link", name="Submit").click()
    page.get_by_role("textbox", name="Payload").fill('{"text": "from the page"}')
    page.get_by_role("button", name="Submit").click()
    expect(page.get_by_role("region", name="Result")).to_contain_text('"text": "from the page"')
    page.keyboard.press("Escape")

    navigation.get_by_role("link", name="items").click()
    page.get_by_role("grid", name="Jobs of items").locator(".rows .row:not([hidden])").first.click()
    items = page.get_by_role("grid")
    expect(items.get_by_role("gridcell", name="Item 8, done")).to_be_visible()
    items.get_by_role("gridcell", name="Item 2, failed").click()
    expect(page.get_by_label("Item", exact=True)).to_contain_text("this item asks for a failure")

    navigation.get_by_role("link", name="hello").click()
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".answer")).to_contain_text('"prefix": "/hello"')
