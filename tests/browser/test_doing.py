"""What people do on the pages, from the first click to what comes of it."""

import itertools

from e2e.eventually import eventually
from e2e.wire import Reply
from playwright.sync_api import Page, expect

from tests.browser.place import Place
from tests.browser.seed import Ids
from tests.browser.watch import Watch

_paths = itertools.count(1)


def said(page: Page, words: str) -> None:
    """Expects the sentence at the top of a page that says what was done."""
    expect(page.locator("main > .said")).to_contain_text(words)


def subscribe(place: Place, broken: bool = False) -> tuple[str, str]:
    """The id and path of a subscriber of the test's own; a broken one answers 500."""
    path = f"/own/{next(_paths)}"
    if broken:
        place.endpoint.answers[path] = Reply(500)
    body = {"url": place.endpoint.at(path), "description": f"Of a test, {path}"}
    return str(place.api("POST", "/subscribers", body, expect=201)["id"]), path


def received(place: Place, path: str) -> list[str]:
    return [request.headers["webhook-id"] for request in place.endpoint.received if request.path == path]


def owed(place: Place, subscriber_id: str, jobs: int) -> list[str]:
    """Submits jobs; the ids of the deliveries to that subscriber, once they are dead."""
    for number in range(jobs):
        place.api.submit("flux-dev", f"number {number}", provider="acedata")
    return eventually(
        lambda: (
            len(dead := place.api.all("/deliveries", subscriber_id=subscriber_id, status="dead")) == jobs
            and [str(one["id"]) for one in dead]
        )
    )


def test_redeliver(page: Page, place: Place) -> None:
    subscriber_id, path = subscribe(place, broken=True)
    [delivery_id] = owed(place, subscriber_id, jobs=1)
    page.goto(f"/deliveries?status=dead&subscriber_id={subscriber_id}")
    page.locator("main tbody").get_by_role("link", name=delivery_id[-8:]).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("dead")
    before = len(received(place, path))

    del place.endpoint.answers[path]
    page.locator("#redeliver summary").click()
    page.get_by_role("button", name="Redeliver").click()
    said(page, "It is due now")
    expect(page.get_by_role("heading", level=1)).to_contain_text("delivered")
    expect(page.get_by_text(f"Attempt {before + 1}")).to_be_visible()
    assert len(received(place, path)) == before + 1
    assert len(set(received(place, path))) == 1, "the same notification, by its id"


def test_redeliver_from_the_timeline(page: Page, place: Place, ids: Ids) -> None:
    page.goto(f"/jobs/{ids['succeeded']}")
    sending = page.get_by_label("Delivery").filter(has_text="/webhooks")
    tries = sending.locator("ol.tries > li")
    expect(tries).to_have_count(1)
    sending.get_by_role("button", name="Redeliver").click()
    expect(tries).to_have_count(2)
    expect(tries.last).to_contain_text("manual")


def test_recover(page: Page, place: Place) -> None:
    subscriber_id, path = subscribe(place, broken=True)
    owed(place, subscriber_id, jobs=3)
    page.goto("/deliveries")
    page.get_by_role("link", name="Recover…").click()
    page.get_by_role("checkbox", name=path).check()
    page.get_by_label("Made since").fill("1h")
    page.get_by_role("button", name="Count").click()
    expect(page.get_by_role("heading", level=2).first).to_have_text("3 deliveries would be sent again")
    del place.endpoint.answers[path]
    before = len(received(place, path))
    assert before == 6, "counting sends nothing"

    page.get_by_role("button", name="Send 3 again").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Recovery")
    expect(page.locator("#recovery progress")).to_have_js_property("value", 3)
    expect(page.locator("#recovery .figure").filter(has_text="delivered")).to_contain_text("3")
    assert len(set(received(place, path)[before:])) == 3
    page.get_by_role("link", name="Count what is left").click()
    expect(page.get_by_role("heading", level=2).first).to_have_text("There is nothing to send again")


def test_a_subscriber_from_the_form_to_a_passing_test(page: Page, watch: Watch, place: Place) -> None:
    watch.refusals.add("422")
    path = f"/own/{next(_paths)}"
    page.goto("/subscribers")
    page.get_by_role("link", name="New subscriber").first.click()
    page.get_by_label("URL").fill("ftp://example.com")
    page.get_by_role("button", name="Add the subscriber").click()
    expect(page.get_by_label("URL")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("URL")).to_have_value("ftp://example.com")

    page.get_by_label("URL").fill(place.endpoint.at(path))
    page.get_by_label("Description").fill("Made in the form")
    page.get_by_role("button", name="Add the subscriber").click()
    expect(page.locator("#secret")).to_contain_text("whsec_")
    place.endpoint.answers[path] = Reply(404, b"No such hook")
    page.get_by_role("button", name="Send a test").click()
    expect(page.locator("#test-result h2")).to_have_text("Test: it does not work")
    expect(page.locator("#test-result")).to_contain_text("No such hook")

    del place.endpoint.answers[path]
    page.get_by_role("button", name="Send a test").click()
    expect(page.locator("#test-result h2")).to_have_text("Test: it works")
    assert place.endpoint.received[-1].json["type"] == "postback.ping"
    page.get_by_role("link", name="To the subscriber").click()
    expect(page.get_by_text("Made in the form")).to_be_visible()
    expect(page.locator("main")).not_to_contain_text("whsec_")


def test_a_new_job_from_the_form(page: Page, place: Place) -> None:
    page.goto("/new-job")
    page.get_by_label("Prompt").fill("a paper boat")
    page.get_by_role("combobox", name="Model", exact=True).select_option("dashscope:flux-schnell")
    expect(page).to_have_url(f"{place.url}/new-job?use=dashscope%3Aflux-schnell")
    expect(page.get_by_text("which is not dashscope's own address")).to_be_visible()
    expect(page.get_by_label("Prompt")).to_have_value("a paper boat")
    page.get_by_role("textbox", name="Metadata").fill("customer=7")
    page.get_by_role("button", name="Submit the job").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("succeeded")
    expect(page.locator(".prompt")).to_have_text("a paper boat")
    job = place.api.job(page.url.rpartition("/")[2])
    assert (job["provider"], job["model"]) == ("dashscope", "flux-schnell")
    assert job["metadata"] == {"customer": 7}


def test_a_bad_field_keeps_what_was_filled_in(page: Page, watch: Watch) -> None:
    watch.refusals.add("422")
    page.goto("/new-job")
    page.get_by_label("Prompt").fill("a paper boat")
    page.get_by_role("textbox", name="Metadata").fill("no equals sign")
    page.get_by_role("button", name="Submit the job").click()
    expect(page.get_by_role("textbox", name="Metadata")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("Prompt")).to_have_value("a paper boat")


def test_cancel_and_resubmit(page: Page, place: Place) -> None:
    job_id = place.api.submit("flux-schnell", "a tower [cancelable]", provider="dashscope")["id"]
    place.api.reached(job_id, "pending")
    page.goto(f"/jobs/{job_id}")
    page.locator("#cancel summary").click()
    page.get_by_role("button", name="Cancel the job").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("canceled")

    failed = place.api.submit("flux-dev", "a lighthouse [fail]", provider="acedata")["id"]
    place.api.reached(failed, "failed")
    page.goto(f"/jobs/{failed}")
    page.locator("#resubmit summary").click()
    page.get_by_role("button", name="Resubmit as a new job").click()
    expect(page.get_by_role("link", name=failed)).to_be_visible()
    assert page.url != f"{place.url}/jobs/{failed}"


def test_search(page: Page, place: Place, ids: Ids) -> None:
    job = place.api.job(ids["succeeded"])
    for words in ("red fox", job["id"], job["task_id"], "customer=7"):
        page.goto("/jobs")
        page.get_by_role("searchbox", name="Search").fill(words)
        page.get_by_role("searchbox", name="Search").press("Enter")
        expect(page.get_by_role("row").filter(has_text="a red fox in the snow"), words).to_have_count(1)
        expect(page.get_by_role("row").filter(has_text="lighthouse"), words).to_have_count(0)
    page.get_by_role("searchbox", name="Search").fill("nothing has these words")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("main")).to_contain_text("No such job.")


def test_back_and_forward_through_filters(page: Page, place: Place) -> None:
    page.goto("/jobs")
    page.get_by_label("State").select_option("failed")
    page.get_by_role("button", name="Filter").click()
    failed = f"{place.url}/jobs?q=&status=failed&provider=&model=&created_after=&created_before="
    expect(page).to_have_url(failed)
    expect(page.locator("main tbody .badge").first).to_have_text("failed")
    page.get_by_role("link", name="Gallery").click()
    expect(page.locator("main .tiles")).to_be_visible()
    expect(page.get_by_label("State")).to_have_value("failed")
    page.locator("main .tiles a").first.click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("failed")

    page.go_back()
    expect(page.locator("main .tiles")).to_be_visible()
    page.go_back()
    expect(page).to_have_url(failed)
    expect(page.get_by_label("State")).to_have_value("failed")
    page.go_back()
    expect(page).to_have_url(f"{place.url}/jobs")
    expect(page.get_by_label("State")).to_have_value("")
    page.go_forward()
    expect(page.get_by_label("State")).to_have_value("failed")
    assert set(page.locator("main tbody .badge:first-child").all_inner_texts()) == {"failed"}


def test_the_theme_is_kept(page: Page) -> None:
    page.goto("/")
    button = page.get_by_role("button", name="Theme")
    for theme in ("light", "dark"):
        button.click()
        expect(page.locator("html")).to_have_attribute("data-theme", theme)
    expect(page.locator("body")).to_have_css("background-color", "rgb(18, 20, 23)")
    page.goto("/jobs")
    expect(page.locator("body")).to_have_css("background-color", "rgb(18, 20, 23)")


def test_ids_are_copied(page: Page, place: Place, ids: Ids) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"/jobs/{ids['succeeded']}")
    page.get_by_role("button", name=f"Copy {ids['succeeded']}").first.click()
    expect(page.locator("#announcer")).to_have_text("Copied.")
    expect(page.get_by_role("button", name="Pause")).to_have_attribute("data-state", "live")
    expect(page.locator("#announcer")).to_have_text("Copied.")
    assert page.evaluate("navigator.clipboard.readText()") == ids["succeeded"]
