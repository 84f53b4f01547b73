"""Pages that follow what happens, without being loaded again."""

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser.place import Place

MARK = "document.documentElement.dataset.mark = 'the same page'"


def stays(page: Page) -> None:
    """Marks the page, so that it can be told from one that was loaded again."""
    page.evaluate(MARK)


def stayed(page: Page) -> None:
    expect(page.locator("html")).to_have_attribute("data-mark", "the same page")


def pause(page: Page) -> Locator:
    return page.get_by_role("button", name="Pause")


@pytest.fixture
def live(page: Page) -> Page:
    """The list of jobs, connected."""
    page.goto("/jobs")
    expect(pause(page)).to_have_attribute("data-state", "live")
    stays(page)
    return page


def row_of(page: Page, prompt: str) -> Locator:
    return page.get_by_role("row").filter(has_text=prompt)


def beside(page: Page) -> Page:
    """Another page at the same address. What it has come to show by itself, this one would have shown too."""
    other = page.context.new_page()
    other.goto(page.url)
    expect(pause(other)).to_have_attribute("data-state", "live")
    return other


def test_a_job_arrives_and_comes_back(live: Page, place: Place) -> None:
    prompt = "a heron in the reeds [delay=2s]"
    job_id = place.api.submit("flux-dev", prompt, provider="acedata")["id"]
    row = row_of(live, prompt)
    expect(row).to_contain_text(re.compile("pending|running"))
    expect(row).to_contain_text("succeeded")
    expect(row).to_contain_text("kept")
    stayed(live)

    row.get_by_role("link", name=prompt).click()
    image = live.locator("main figure img")
    expect(image).to_have_js_property("complete", True)
    assert image.evaluate("image => image.naturalWidth") > 0
    source = str(image.get_attribute("src"))
    assert source.startswith("/"), "an image is shown from our own copy"
    assert place.api.job(job_id)["results"][0]["artifact"]["url"].endswith(source)


def test_a_job_is_watched_on_its_own_page(page: Page, place: Place) -> None:
    job_id = place.api.submit("flux-dev", "a kite over the dunes [delay=2s]", provider="acedata")["id"]
    page.goto(f"/jobs/{job_id}")
    stays(page)
    expect(page.get_by_role("heading", level=1)).to_contain_text("succeeded")
    steps = page.locator("ol.timeline > li")
    for words in ("recorded for acedata", "took it as", "callback received: accepted", "notification job.succeeded"):
        expect(steps.filter(has_text=words)).to_have_count(1)
    expect(page.get_by_label("Delivery").filter(has_text="/webhooks")).to_contain_text("delivered")
    stayed(page)


def test_a_paused_page_stands_still_and_catches_up(live: Page, place: Place) -> None:
    other = beside(live)
    pause(live).click()
    expect(pause(live)).to_have_attribute("aria-pressed", "true")
    asked: list[str] = []
    live.on("request", lambda request: asked.append(request.url))
    prompt = "a bell tower at noon"
    place.api.submit("flux-dev", prompt, provider="acedata")
    expect(row_of(other, prompt)).to_contain_text("succeeded")
    expect(row_of(live, prompt)).to_have_count(0)
    assert asked == []

    pause(live).click()
    expect(row_of(live, prompt)).to_contain_text("succeeded")
    stayed(live)


def test_what_somebody_is_about_to_do_is_not_taken_away(page: Page, place: Place) -> None:
    job_id = place.api.submit("flux-schnell", "a bridge [cancelable] [delay=12s]", provider="dashscope")["id"]
    page.goto(f"/jobs/{job_id}")
    page.locator("#cancel summary").click()
    stays(page)
    expect(beside(page).get_by_role("heading", level=1)).to_contain_text("succeeded")
    expect(page.get_by_role("button", name="Cancel the job")).to_be_visible()
    page.get_by_role("button", name="Cancel the job").focus()
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", level=1)).to_contain_text("succeeded")
    expect(page.locator("#cancel")).to_have_count(0)
    stayed(page)
