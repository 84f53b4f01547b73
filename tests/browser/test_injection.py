"""What others wrote is shown as they wrote it, and nothing of it runs: see `watch.Watch` for how that would be seen."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenContext
from tests.browser.pages import FROM_DATA, PAGES
from tests.browser.place import Place
from tests.browser.seed import HOSTILE, Ids

SHOWN = {
    "jobs": "main th[scope=row]",
    "a hostile job": "main .prompt",
    "a hostile callback": "main pre",
    "an invalid callback": "main pre",
    "a dead delivery": "main pre",
    "subscribers": "main",
    "a subscriber that fails": "main",
}
"""Where each page shows hostile words."""

TAG = "<script>window.__pwned=1</script>"


@pytest.mark.parametrize("name", SHOWN)
def test_hostile_words_are_shown_as_words(name: str, open_context: OpenContext, ids: Ids) -> None:
    context, _ = open_context()
    page = context.new_page()
    page.goto(PAGES[name].format_map(ids))
    expect(page.locator(FROM_DATA)).to_have_count(0)
    said = page.locator(SHOWN[name]).evaluate_all("elements => elements.map((one) => one.textContent).join()")
    assert TAG in said


def test_urls_and_filters_are_words_too(open_context: OpenContext, place: Place) -> None:
    context, watch = open_context()
    watch.refusals |= {"404", "422", "400"}
    page = context.new_page()
    for path in ("/jobs", "/inbox", "/deliveries"):
        for name in ("q", "status", "job_id", "cursor", "created_after"):
            page.goto(f"{path}?{name}={HOSTILE.replace('&', '%26').replace('#', '%23')}")
            expect(page.locator(FROM_DATA)).to_have_count(0)
    page.goto("/jobs/<script>window.__pwned=1</script>")
    expect(page.get_by_role("heading", level=1)).to_be_visible()


def test_headers_of_answers_and_callbacks_are_words(open_context: OpenContext, ids: Ids) -> None:
    context, _ = open_context()
    page = context.new_page()
    page.goto(f"/inbox/{ids['callback_hostile']}")
    page.get_by_text("Headers (").click()
    expect(page.locator("#headers")).to_contain_text(TAG)
    page.goto(f"/deliveries/{ids['delivery_dead']}")
    attempt = page.locator("details.attempt").first
    expect(attempt).to_contain_text("<h1>Internal error</h1>")
    attempt.get_by_text("Response headers").click()
    expect(attempt).to_contain_text(TAG)
