"""Pages of signed links in a real browser: without JavaScript, by keyboard alone, and with a style sheet that its policy lets through."""

import os
import shutil
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TypeVar

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, sync_playwright

from tests.api.review_browser import reviewer
from tests.clients.live_gateway import LiveGateway, live_gateway
from tests.facilities import require

T = TypeVar("T")


def apart(work: Callable[[], T]) -> T:
    """Run this in another thread: a browser keeps an event loop in this one, and the fakes want one of their own."""
    with ThreadPoolExecutor(max_workers=1) as executor:
        return executor.submit(work).result()


@pytest.fixture(scope="module", name="browser")
def _browser() -> Generator[Browser]:
    require("chromium")
    named = os.environ.get("STANDFAST_CHROMIUM") or shutil.which("chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=named, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(name="live")
def _live() -> Generator[LiveGateway]:
    serving = live_gateway()
    running = apart(serving.__enter__)
    running.house.stores.database.time = datetime.now(UTC)
    yield running
    serving.__exit__(None, None, None)


@pytest.fixture(name="page")
def _page(browser: Browser) -> Generator[Page]:
    context = browser.new_context(java_script_enabled=False, locale="en-GB", viewport={"width": 390, "height": 844})
    yield context.new_page()
    context.close()


def address(live: LiveGateway) -> str:
    """Return the page of a link to a new approval."""
    person = apart(lambda: reviewer(live.house, live.house.open_approval(live.house.start())))
    return f"{live.url}/a/{person.token}"


class TestWithoutJavaScript:
    def test_approves_with_a_pointer(self, live: LiveGateway, page: Page) -> None:
        page.goto(address(live))
        page.get_by_label("Approve: run it exactly as shown").check()
        page.get_by_label("Comment").fill("seen\nthe ticket")
        page.get_by_role("button", name="Continue").click()
        assert page.get_by_role("heading", level=1).inner_text() == "Approve: Pay 250?"
        page.get_by_label("I have read what will happen").check()
        page.get_by_role("button", name="Approve now").click()
        assert page.get_by_role("heading", level=1).inner_text() == "Approved"
        (row,) = live.house.stores.database.decisions.values()
        assert (row.verdict, row.comment, row.state) == ("approve", "seen\nthe ticket", "accepted")

    def test_rejects_with_the_keyboard_alone(self, live: LiveGateway, page: Page) -> None:
        page.goto(address(live))
        page.get_by_label("Approve: run it exactly as shown").focus()
        for key in ("ArrowDown", "Tab", "Tab", "Enter"):
            page.keyboard.press(key)
        page.wait_for_selector("text=Please confirm")
        for key in ("Tab", "Space", "Tab", "Enter"):
            page.keyboard.press(key)
        page.wait_for_selector("h1:text-is('Rejected')")
        assert [row.verdict for row in live.house.stores.database.decisions.values()] == ["reject"]

    def test_fits_a_telephone(self, live: LiveGateway, page: Page) -> None:
        page.goto(address(live))
        box = page.locator("main").bounding_box()
        assert box is not None
        assert box["width"] <= 390
        small = [one.bounding_box() for one in page.get_by_role("button").all()]
        assert all(found is not None and found["height"] >= 44 for found in small), "WCAG 2.2, target size (enhanced)"

    def test_is_over_when_the_link_was_used(self, live: LiveGateway, page: Page) -> None:
        where = address(live)
        page.goto(where)
        page.get_by_label("Reject: it does not run").check()
        page.get_by_role("button", name="Continue").click()
        page.get_by_role("checkbox").check()
        page.get_by_role("button", name="Reject now").click()
        page.goto(where)
        assert page.get_by_role("heading", level=1).inner_text() == "You have already answered"


class TestPolicy:
    def test_lets_the_pages_own_style_through_and_nothing_else(self, live: LiveGateway, browser: Browser) -> None:
        context = browser.new_context()
        page = context.new_page()
        said: list[str] = []

        def listen(message: ConsoleMessage) -> None:
            said.append(message.text)

        page.on("console", listen)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        where = address(live)
        page.goto(where)
        assert page.evaluate("getComputedStyle(document.querySelector('main')).maxWidth") != "none"
        assert said == []
        assert [url for url in asked if not url.endswith("/favicon.ico")] == [where]
        context.close()

    def test_colours_differ_enough_in_both_schemes(self, live: LiveGateway, browser: Browser) -> None:
        for scheme in ("light", "dark"):
            context = browser.new_context(color_scheme=scheme)
            page = context.new_page()
            page.goto(address(live))
            for selector in ("body", "button", "a, h1", "th"):
                found = page.evaluate(CONTRAST, selector)
                assert found >= 4.5, f"{selector} in {scheme}: {found:.2f}, and WCAG 2.2 AA wants 4.5"
            context.close()


CONTRAST = """selector => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const shine = ([r, g, b]) => [r, g, b].map(v => v / 255).map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const element = document.querySelector(selector);
  let under = element, paper = rgb(getComputedStyle(under).backgroundColor);
  while (paper.length > 3 && paper[3] === 0 && under.parentElement) {
    under = under.parentElement;
    paper = rgb(getComputedStyle(under).backgroundColor);
  }
  const [a, b] = [shine(rgb(getComputedStyle(element).color)), shine(paper)].sort((x, y) => y - x);
  return (a + 0.05) / (b + 0.05);
}"""
