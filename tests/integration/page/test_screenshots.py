"""The pictures of docs/ui.md. They are written there when PAGE_SCREENSHOTS names the folder: PAGE_SCREENSHOTS=docs tox -e page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, expect

from tests.integration.page.chromium import PHONE, looking
from tests.integration.page.contract_server import ContractServer
from tests.integration.page.world import FAILED_ID, JOB_ID

MAX_BYTES = 150_000
WINDOW = (1160, 740)
_NUMBERS = "table.apis :text-is('150')"
PICTURES: dict[str, tuple[str, tuple[int, int], Literal["light", "dark"], str]] = {
    "page-light": ("#/", WINDOW, "light", _NUMBERS),
    "page-dark": ("#/api/transcribe", WINDOW, "dark", f".rows .row:has-text('{FAILED_ID}')"),
    "page-request": (f"#/api/transcribe/request/{FAILED_ID}", WINDOW, "light", ".timeline li:nth-child(3)"),
    "page-job": (f"#/api/sum/job/{JOB_ID}/item/37", WINDOW, "dark", ".item-result :text-is('no such file: 37.wav')"),
    "page-phone": ("#/", PHONE, "light", _NUMBERS),
}
"""The address, the size, the theme, and what is seen when all of it is there."""


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_small_and_show_what_is_there(
    browser: Browser, server: ContractServer, tmp_path: Path, name: str
) -> None:
    folder = Path(os.environ.get("PAGE_SCREENSHOTS") or tmp_path)
    address, size, scheme, content = PICTURES[name]
    with looking(browser, server.url, size=size, scheme=scheme) as look:
        page = look.open(address)
        expect(page.locator(content).first).to_be_visible()
        expect(page.locator("[aria-busy='true']")).to_have_count(0)
        expect(page.locator("path[d^='M'], .item[data-state='failed']").first).to_be_attached()
        picture = page.screenshot(path=folder / f"{name}.png", animations="disabled")
    assert 10_000 < len(picture) < MAX_BYTES
