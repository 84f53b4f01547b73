"""Reading without JavaScript, and with the ordinary forms that scripts only make nicer."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenContext
from tests.browser.pages import PAGES
from tests.browser.place import Place
from tests.browser.seed import Ids


def test_every_page_can_be_read(open_context: OpenContext, ids: Ids) -> None:
    context, _ = open_context(java_script_enabled=False)
    page = context.new_page()
    for name, path in PAGES.items():
        page.goto(path.format_map(ids))
        expect(page.get_by_role("heading", level=1), name).to_be_visible()
        # What only a script can do is not offered.
        expect(page.locator("[data-copy]:visible, #pause:visible, #theme:visible"), name).to_have_count(0)


def test_the_timeline_of_a_job(open_context: OpenContext, ids: Ids) -> None:
    context, _ = open_context(java_script_enabled=False)
    page = context.new_page()
    page.goto("/jobs")
    page.get_by_role("link", name="a red fox in the snow, at dawn").first.click()
    expect(page.locator("ol.timeline")).to_contain_text("job.succeeded")
    page.locator("details.raw summary").first.click()
    expect(page.locator("details.raw pre").first).to_be_visible()
    images = page.locator("main figure img")
    expect(images).to_have_count(2)
    for image in images.all():
        assert str(image.get_attribute("src")).startswith("/")


def test_signing_in_and_filters(open_context: OpenContext, place: Place) -> None:
    context, _ = open_context(None, java_script_enabled=False)
    page = context.new_page()
    page.goto("/deliveries")
    page.get_by_label("API key").fill(place.server.key)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_label("Status").select_option("dead")
    page.get_by_role("button", name="Filter").click()
    expect(page.locator("main tbody .badge")).not_to_have_count(0)
    assert set(page.locator("main tbody .badge").all_inner_texts()) == {"dead"}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_colours_follow_the_system(open_context: OpenContext, scheme: str) -> None:
    context, _ = open_context(java_script_enabled=False, color_scheme=scheme)
    page = context.new_page()
    page.goto("/")
    colour = "rgb(246, 247, 248)" if scheme == "light" else "rgb(18, 20, 23)"
    expect(page.locator("body")).to_have_css("background-color", colour)
