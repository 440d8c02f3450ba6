"""axe finds nothing serious in any view, and nothing needs a wide screen."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest
from playwright.sync_api import Browser, expect

from tests.integration.page.chromium import DESKTOP, PHONE, looking
from tests.integration.page.contract_server import ContractServer
from tests.integration.page.views import VIEWS, show
from tests.integration.page.world import RUNNING_ID, World, usual

AXE = Path(__file__).parent / "axe" / "node_modules" / "axe-core" / "axe.min.js"
WIDTHS = (320, 360, 640, 768, 900, 1024, 1121, 1160, 1280, 1920)
_RUN = """
  async (rules) => {
    const only = rules === null ? {} : { runOnly: { type: "rule", values: rules } };
    const { violations } = await axe.run(document, { resultTypes: ["violations"], ...only });
    return violations.filter(({ impact }) => impact === "serious" || impact === "critical")
      .map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ html, failureSummary }) => `${html} ${failureSummary}`).join("; ")}`);
  }
"""


@pytest.fixture
def world() -> World:
    world = usual()
    world.requests["thumbnails"] = []
    return world


@pytest.mark.parametrize(
    ("scheme", "size", "rules"),
    [
        pytest.param("light", DESKTOP, None, id="light"),
        pytest.param("light", PHONE, None, id="phone"),
        pytest.param("dark", DESKTOP, ["color-contrast"], id="dark, where the colours alone are others"),
    ],
)
def test_axe_finds_nothing_serious_in_any_view(
    browser: Browser,
    server: ContractServer,
    scheme: Literal["light", "dark"],
    size: tuple[int, int],
    rules: list[str] | None,
) -> None:
    assert AXE.is_file(), "run: python scripts/install_node_modules.py tests/integration/page/axe"
    source = AXE.read_text(encoding="utf-8")
    found = {}
    with looking(browser, server.url, size=size, scheme=scheme) as look:
        page = look.open()
        for name in VIEWS:
            show(look, name)
            # Only another document is loaded anew.
            if page.evaluate("typeof axe") == "undefined":
                page.evaluate(f"{source}; undefined")
            if serious := page.evaluate(_RUN, rules):
                found[name] = serious
    assert found == {}


def test_no_view_is_wider_than_its_window(browser: Browser, server: ContractServer) -> None:
    with looking(browser, server.url) as look:
        page = look.open()
        for name in VIEWS:
            show(look, name)
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 740})
                too_wide = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
                assert too_wide <= 0, f"{name} at {width} px: {too_wide} px too wide"


def test_nothing_moves_for_those_who_want_no_motion(browser: Browser, server: ContractServer) -> None:
    with looking(browser, server.url) as look:
        page = look.open(f"#/api/transcribe/request/{RUNNING_ID}")
        expect(page.get_by_role("progressbar")).to_be_visible()
        moving = "document.getAnimations().length + [...document.querySelectorAll('*')].filter((node) => getComputedStyle(node).transitionDuration !== '0s').length"
        assert page.evaluate(moving) == 0
        page.emulate_media(reduced_motion="no-preference")
        assert page.evaluate(moving) > 0
