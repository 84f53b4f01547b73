"""Everything without a mouse."""

from playwright.sync_api import Page, expect

from tests.browser.seed import Ids

FOCUSED = "document.activeElement.textContent.trim()"


def tab_to(page: Page, words: str, within: int = 40) -> None:
    """Presses Tab until the focus is on what is named so."""
    for _ in range(within):
        page.keyboard.press("Tab")
        if page.evaluate(FOCUSED) == words:
            return
    raise AssertionError(f"Tab did not come to {words!r}")


def test_skipping_and_the_pages(page: Page) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    expect(page.get_by_role("link", name="Skip to the content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    page.keyboard.press("Tab")
    assert page.evaluate("document.querySelector('main').contains(document.activeElement)")

    page.goto("/")
    for name in ("Jobs", "Callbacks", "Deliveries", "Subscribers", "New job"):
        tab_to(page, name)
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid", name
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Subscribers")
    expect(page.get_by_role("link", name="Subscribers", exact=True)).to_have_attribute("aria-current", "page")


def test_details_open_and_close(page: Page, ids: Ids) -> None:
    page.goto(f"/jobs/{ids['succeeded']}")
    body = page.locator("details.raw").first
    body.locator("summary").focus()
    page.keyboard.press("Enter")
    expect(body.locator("pre")).to_be_visible()
    page.keyboard.press("Enter")
    expect(body.locator("pre")).to_be_hidden()

    page.goto("/")
    menu = page.locator("details.menu")
    menu.locator("summary").focus()
    page.keyboard.press("Space")
    expect(menu.get_by_role("button", name="Sign out")).to_be_visible()
    page.keyboard.press("Escape")
    expect(menu.get_by_role("button", name="Sign out")).to_be_hidden()
    expect(menu.locator("summary")).to_be_focused()


def test_a_form_is_filled_in_and_sent(page: Page) -> None:
    page.goto("/new-job")
    page.get_by_label("Prompt").focus()
    page.keyboard.type("a lantern, by keyboard alone")
    tab_to(page, "Submit the job")
    page.keyboard.press("Enter")
    expect(page.locator(".prompt")).to_have_text("a lantern, by keyboard alone")


def test_what_changed_is_announced(page: Page) -> None:
    page.goto("/jobs")
    button = page.get_by_role("button", name="Pause")
    expect(button).to_have_attribute("data-state", "live")
    button.focus()
    page.keyboard.press("Space")
    expect(page.locator("#announcer")).to_have_text("Updates are paused.")
