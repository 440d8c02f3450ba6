"""Chromium for the tests of the page, and what each test asks of a page."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, Literal

from playwright.sync_api import Browser, BrowserContext, Page, Route, expect, sync_playwright

_PROGRAM: Final = shutil.which("chromium")
WHY_NOT: Final = "" if _PROGRAM else "chromium is not installed (Debian: chromium)"
FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
TIMEOUT_S: Final = 30.0
"""For whatever a test waits for: the machine may be busy."""
DESKTOP: Final = (1280, 860)
PHONE: Final = (360, 740)
FRAMES: Final = "async () => { for (let frame = 0; frame < 30; frame += 1) await new Promise(requestAnimationFrame); }"
"""Ends when whatever was to be drawn has been drawn."""
_WATCH: Final = """
  window.violations = [];
  document.addEventListener("securitypolicyviolation", (event) => {
    window.violations.push(`${event.violatedDirective}: ${event.blockedURI} ${event.sample}`);
  });
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A page, and what went wrong in it. `faults`: errors of the console and of scripts, dialogs of the browser."""

    page: Page
    url: str
    faults: list[str] = field(default_factory=list)

    def open(self, address: str = "#/") -> Page:
        """Show a view, and return when the page is live."""
        self.page.goto(f"{self.url}/{address}")
        expect(self.page.locator("#connection")).to_have_attribute("data-state", "live")
        return self.page

    def refuse(self, url: str | re.Pattern[str], message: str) -> list[str]:
        """Let each request of these addresses fail, until `page.unroute(url)`. Return a list of what is asked for."""
        asked: list[str] = []

        def answer(route: Route) -> None:
            asked.append(route.request.url)
            route.fulfill(status=502, json={"error": {"message": message}})

        self.page.route(url, answer)
        return asked

    def stop_clock(self) -> None:
        """Let `performance.now` stand still in what is opened from now on; `window.passed_ms` moves it."""
        self.page.add_init_script("window.passed_ms = 0; performance.now = () => passed_ms")

    def stop_timers(self) -> None:
        """Let the timers of what is opened from now on stand still; `page.clock.fast_forward` moves them, in ms."""
        self.page.clock.install(time=0)
        self.page.clock.pause_at(3600)

    def violations(self) -> list[str]:
        """Return what the Content-Security-Policy had to stop."""
        found: list[str] = self.page.evaluate("window.violations")
        return found


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run Chromium, with a new profile, until the end of the block."""
    expect.set_options(timeout=TIMEOUT_S * 1000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_PROGRAM, args=FLAGS, timeout=TIMEOUT_S * 1000)
        yield browser
        browser.close()


def context_of(browser: Browser, size: tuple[int, int], scheme: Literal["light", "dark"]) -> BrowserContext:
    """Return a profile without anything stored, for pages of this size and theme."""
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        reduced_motion="reduce",
        locale="en-GB",
        timezone_id="UTC",
    )
    context.set_default_timeout(TIMEOUT_S * 1000)
    return context


@contextmanager
def looking(
    browser: Browser,
    url: str,
    *,
    size: tuple[int, int] = DESKTOP,
    scheme: Literal["light", "dark"] = "light",
) -> Iterator[Look]:
    """Yield a page. At the end nothing must have gone wrong in it: what a test expects to, it takes out of `faults`."""
    context = context_of(browser, size, scheme)
    context.add_init_script(_WATCH)
    page = context.new_page()
    look = Look(page=page, url=url)
    page.on("pageerror", lambda error: look.faults.append(f"error: {error}"))
    # Without a listener Playwright would dismiss it; with one it stays open, and the test fails by its time limit, too.
    page.on("dialog", lambda dialog: look.faults.append(f"dialog: {dialog.message}"))
    page.on("console", lambda message: look.faults.append(message.text) if message.type == "error" else None)
    yield look
    assert not look.faults
    assert not look.violations()
    context.close()
