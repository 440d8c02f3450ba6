"""The pictures of docs/ui.md. They are written there when PAGE_SCREENSHOTS names the folder: PAGE_SCREENSHOTS=docs tox -e page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, expect

from tests.integration.page.chromium import PHONE, looking
from tests.integration.page.contract_server import ContractServer
from tests.integration.page.views import show

MAX_BYTES = 150_000
WINDOW = (1160, 740)
PICTURES: dict[str, tuple[str, tuple[int, int], Literal["light", "dark"]]] = {
    "page-light": ("overview", WINDOW, "light"),
    "page-dark": ("requests", WINDOW, "dark"),
    "page-request": ("failed", WINDOW, "light"),
    "page-job": ("item", WINDOW, "dark"),
    "page-phone": ("overview", PHONE, "light"),
}
"""The view, the size and the theme."""


@pytest.mark.parametrize("name", PICTURES)
def test_pictures_are_small_and_show_what_is_there(
    browser: Browser, server: ContractServer, tmp_path: Path, name: str
) -> None:
    folder = Path(os.environ.get("PAGE_SCREENSHOTS") or tmp_path)
    view, size, scheme = PICTURES[name]
    with looking(browser, server.url, size=size, scheme=scheme) as look:
        show(look, view)
        page = look.page
        expect(page.locator("#connection")).to_have_attribute("data-state", "live")
        expect(page.locator("path[d^='M'], .item[data-state='failed']").first).to_be_attached()
        picture = page.screenshot(path=folder / f"{name}.png", animations="disabled")
    assert 10_000 < len(picture) < MAX_BYTES
