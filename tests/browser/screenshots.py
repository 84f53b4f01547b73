"""Writes the pictures of docs/: `scripts/screenshots` runs it. What they show was really done, on this machine."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from e2e.eventually import eventually
from e2e.wire import Reply
from playwright.sync_api import Page, expect

from tests.browser.chromium import chromium, sign_in
from tests.browser.place import Place, opened

FOLDER = Path(__file__).parents[2] / "docs" / "images"
WIDTH = 1280

JOBS = (
    ("flux-dev", "a red fox in the snow, at dawn, 35 mm", {"count": 2}),
    ("flux-dev", "a lighthouse in a storm [fail=DataInspectionFailed]", {}),
    ("flux-schnell", "four cups on a shelf, still life [partial=1]", {"n": 4}),
    ("flux-schnell", "a slow river in autumn [delay=1h]", {}),
    ("flux-dev", "two owls at night, linocut [conflict]", {"count": 1}),
)


def main() -> None:
    """Fills a house, takes the pictures, and tells how large they are."""
    with tempfile.TemporaryDirectory() as folder, opened(Path(folder), POSTBACK_RETRY_SCHEDULE="0s,1s,2s") as place:
        paths = {"overview": "/", **_done(place), "deliveries": "/deliveries", "subscribers": "/subscribers"}
        _take(place, paths)


def _done(place: Place) -> dict[str, str]:
    for path, answer in (
        ("/warehouse", Reply(503, b"Deploying, back in a minute", (("Retry-After", "600"),))),
        ("/newsletter", Reply(404, b'{"error": "no such hook"}', (("Content-Type", "application/json"),))),
    ):
        place.endpoint.answers[path] = answer
    for name, path in (("Orders", "/orders"), ("Warehouse", "/warehouse"), ("Newsletter", "/newsletter")):
        place.api("POST", "/subscribers", {"url": place.endpoint.at(path), "description": name}, expect=201)
    made = [
        place.api.submit(
            model,
            prompt,
            provider="dashscope" if model == "flux-schnell" else "acedata",
            parameters=parameters,
            metadata={"order": str(1000 + number)},
        )["id"]
        for number, (model, prompt, parameters) in enumerate(JOBS)
    ]
    # Once what can die is dead, all is done that is not asked to wait.
    over = [job_id for job_id, (_, prompt, _) in zip(made, JOBS, strict=True) if "[delay" not in prompt]
    eventually(lambda: len(place.api.all("/deliveries", status="dead")) == len(over), 30)
    eventually(lambda: all(one["artifact"] for one in place.api.job(made[0])["results"]), 30)
    return {"job": f"/jobs/{made[0]}"}


def _take(place: Place, paths: Mapping[str, str]) -> None:
    FOLDER.mkdir(exist_ok=True)
    with chromium() as browser, browser.new_context(base_url=place.url, color_scheme="light") as context:
        sign_in(context, place.url, place.server.key)
        page = context.new_page()
        for name, path in paths.items():
            file = FOLDER / f"{name}.png"
            page.set_viewport_size({"width": WIDTH, "height": 400})
            page.goto(path)
            _come_to_rest(page)
            page.screenshot(path=file, full_page=True, animations="disabled")
            print(f"{file.relative_to(FOLDER.parents[1])}: {file.stat().st_size // 1024} KiB")


def _come_to_rest(page: Page) -> None:
    expect(page.get_by_role("button", name="Pause")).to_have_attribute("data-state", "live")
    for image in page.locator("main img").all():
        image.scroll_into_view_if_needed()
        expect(image).to_have_js_property("complete", True)
    page.evaluate("scrollTo(0, 0)")


if __name__ == "__main__":
    main()
