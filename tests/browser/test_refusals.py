"""What is refused to a page is said on it: nothing may fail without a word."""

import re

from playwright.sync_api import Page, expect

from tests.browser.place import Place
from tests.browser.test_doing import said, subscribe
from tests.browser.watch import Watch


def test_a_test_of_a_subscriber_that_is_gone_says_so(page: Page, watch: Watch, place: Place) -> None:
    watch.refusals.add("404")
    subscriber_id, _ = subscribe(place)
    page.goto(f"/subscribers/{subscriber_id}")
    expect(page.get_by_role("button", name="Pause")).to_have_attribute("data-state", "live")
    page.get_by_role("button", name="Pause").click()
    place.api("DELETE", f"/subscribers/{subscriber_id}", expect=204)
    page.get_by_role("button", name="Send a test").click()
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text(subscriber_id)
    alert.get_by_role("button", name="Close").click()
    expect(alert).to_have_count(0)


def test_what_a_server_says_is_said_until_something_works(page: Page, watch: Watch, place: Place) -> None:
    subscriber_id, _ = subscribe(place)
    page.goto(f"/subscribers/{subscriber_id}")
    watch.refusals.add("502")
    page.route("**/test", lambda route: route.fulfill(status=502, body="<h1>A proxy says</h1>"))
    page.get_by_role("button", name="Send a test").click()
    expect(page.get_by_role("alert")).to_contain_text("The server answered 502.")
    page.unroute("**/test")
    page.get_by_role("button", name="Send a test").click()
    expect(page.locator("#test-result h2")).to_have_text("Test: it works")
    expect(page.get_by_role("alert")).to_have_count(0)


def test_a_page_whose_thing_is_gone_says_so(page: Page, watch: Watch, place: Place) -> None:
    watch.refusals.add("404")
    job_id = place.api.submit("flux-dev", "a ladder", provider="acedata")["id"]
    place.api.reached(job_id, "succeeded")
    page.goto(f"/jobs/{job_id}")
    expect(page.get_by_role("button", name="Pause")).to_have_attribute("data-state", "live")
    place.api("DELETE", f"/jobs/{job_id}", expect=204)
    place.api.submit("flux-dev", "another ladder", provider="acedata")  # so that something is told of
    expect(page.get_by_role("alert")).to_contain_text(re.compile(f"This page cannot be drawn again.*{job_id}"))
    expect(page.get_by_role("heading", level=1)).to_contain_text("succeeded")


def test_what_was_said_goes_when_things_have_gone_on(page: Page, place: Place) -> None:
    page.goto("/new-job")
    page.get_by_label("Prompt").fill("a paper crane")
    page.get_by_role("button", name="Submit the job").click()
    said(page, "The job is recorded")
    expect(page.get_by_role("heading", level=1)).to_contain_text("succeeded")
    expect(page.locator("main > .said")).to_have_count(0)
