"""The form for the token, with the real server of the page: its policy and its cookie, in a browser."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Browser, expect

from tests.integration.page.chromium import looking
from tests.integration.ui.ui_process import Ui

TOKEN = "dq_a-token-of-the-page"


def test_the_token_opens_the_page_and_scripts_see_no_cookie(browser: Browser, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text(TOKEN)
    with Ui("http://127.0.0.1:1", "--token-file", str(file)) as ui:
        ui.wait_started()
        with looking(browser, f"http://127.0.0.1:{ui.port}") as look:
            page = look.page
            page.goto(f"{look.url}/")
            page.get_by_label("Token").fill("another")
            page.get_by_role("button").click()
            expect(page.get_by_role("alert")).to_contain_text("not the token")
            page.get_by_label("Token").fill(TOKEN)
            page.get_by_role("button").click()
            expect(page.locator("#connection")).to_have_attribute("data-state", "live")
            # The gateway is away, and the page says so.
            expect(page.get_by_role("status").filter(has_text="away")).to_be_visible()
            assert page.evaluate("document.cookie") == ""
            # The console tells these statuses: of the form and the wrong token, and of the gateway that is away.
            look.faults[:] = [fault for fault in look.faults if "401" not in fault and "502" not in fault]
