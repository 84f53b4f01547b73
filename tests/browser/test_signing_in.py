"""Who gets in, and what they see then."""

import re

from e2e.api import Api
from playwright.sync_api import expect

from tests.browser.conftest import OpenContext
from tests.browser.place import Place
from tests.browser.seed import Ids

ACTS = ("/new-job", "/deliveries/recover", "/subscribers/new", "/keys")
"""Pages that only somebody may open who may do something there."""


def named_key(api: Api, scope: str) -> str:
    made = api("POST", "/keys", {"name": f"a {scope} key", "scope": scope}, expect=201)
    return str(made["key"])


def test_with_the_api_key_to_the_page_that_was_wanted(place: Place, open_context: OpenContext) -> None:
    context, _ = open_context(None)
    page = context.new_page()
    page.goto("/deliveries?status=dead")
    expect(page.get_by_role("heading", level=1)).to_have_text("Sign in")
    expect(page.get_by_label("API key")).to_be_focused()
    page.get_by_label("API key").fill(place.server.key)
    page.get_by_role("button", name="Sign in").click()
    expect(page).to_have_url(f"{place.url}/deliveries?status=dead")
    [cookie] = [one for one in context.cookies() if one["name"] == "postback_session"]
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Lax")


def test_a_wrong_key(open_context: OpenContext) -> None:
    context, watch = open_context(None)
    watch.refusals.add("403")
    page = context.new_page()
    page.goto("/")
    page.get_by_label("API key").fill("<script>window.__pwned=1</script>")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("not known here")
    expect(page.get_by_label("API key")).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_label("API key")).to_have_value("")
    page.goto("/jobs")
    expect(page).to_have_url(re.compile("/sign-in"))


def test_a_link_signs_in_once(place: Place, open_context: OpenContext) -> None:
    path = place.api("POST", "/sign-in-links", {}, expect=201)["path"]
    context, _ = open_context(None)
    page = context.new_page()
    for _ in "a preview", "a person":
        page.goto(path)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Overview")

    other, watch = open_context(None)
    watch.refusals.add("403")
    page = other.new_page()
    page.goto(path)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("used already")


def test_signing_out(open_context: OpenContext) -> None:
    context, _ = open_context()
    page = context.new_page()
    page.goto("/jobs")
    page.locator("details.menu summary").click()
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("status").first).to_have_text("You are signed out.")
    page.goto("/jobs")
    expect(page).to_have_url(re.compile("/sign-in"))


def test_a_key_that_may_only_look(place: Place, ids: Ids, open_context: OpenContext) -> None:
    context, watch = open_context(named_key(place.api, "read"))
    page = context.new_page()
    for path in (
        "/",
        "/jobs",
        f"/jobs/{ids['failed']}",
        f"/jobs/{ids['running']}",
        "/deliveries",
        f"/deliveries/{ids['delivery_dead']}",
        "/subscribers",
        f"/subscribers/{ids['broken']}",
    ):
        page.goto(path)
        expect(page.locator("main form[method=post]"), path).to_have_count(0)
        for act in ACTS:
            expect(page.locator(f'a[href^="{act}"]'), f"{path} leads to {act}").to_have_count(0)

    watch.refusals.add("403")
    for act in ACTS:
        answer = page.goto(act)
        assert answer is not None
        assert answer.status == 403, act
    refused = page.evaluate(
        "async (path) => (await fetch(path, {method: 'POST'})).status",
        f"/deliveries/{ids['delivery_dead']}/redeliver",
    )
    assert refused == 403
    assert place.api("GET", f"/deliveries/{ids['delivery_dead']}")["status"] == "dead"


def test_who_may_submit_may_not_redeliver(place: Place, ids: Ids, open_context: OpenContext) -> None:
    context, _ = open_context(named_key(place.api, "submit"))
    page = context.new_page()
    page.goto(f"/jobs/{ids['failed']}")
    expect(page.locator("form[action$='/resubmit']")).to_have_count(1)
    expect(page.locator("form[action$='/redeliver'], form[action$='/delete']")).to_have_count(0)


def test_a_key_is_made_used_and_revoked(open_context: OpenContext) -> None:
    context, _ = open_context()
    page = context.new_page()
    page.goto("/keys")
    page.get_by_label("Name").fill("<img src=x onerror='window.__pwned=1'>")
    page.get_by_label("Scope").select_option("read")
    page.get_by_role("button", name="Make a key").click()
    key = page.locator("#new-key").inner_text()

    theirs, _ = open_context(key)
    guest = theirs.new_page()
    guest.goto("/")
    expect(guest.get_by_role("heading", level=1)).to_have_text("Overview")

    row = page.get_by_role("row").filter(has_text="<img src=x onerror")
    row.locator("summary").click()
    row.get_by_role("button", name="Revoke").click()
    expect(row).to_contain_text("revoked")
    guest.goto("/jobs")
    expect(guest).to_have_url(re.compile("/sign-in"))
