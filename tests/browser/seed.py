"""The data that pages show: every kind of job, callback and delivery once, and strings that try to break out."""

from collections.abc import Mapping
from typing import Any

import httpx2 as httpx
from e2e.eventually import eventually
from e2e.wire import Reply

from tests.browser.place import Place

HOSTILE = (
    "</pre></textarea></title></script><script>window.__pwned=1</script><img src=x onerror='window.__pwned=1'>"
    "<a href='javascript:window.__pwned=1'>\"'><svg onload=window.__pwned=1>{{ 7 * 7 }}"
)
"""Would run in a page that took it for markup, wherever it stands: in text, an attribute, a script or a title."""

Ids = Mapping[str, str]
"""Of what was made, by the names that the paths of `pages.PAGES` use."""

_FOX = "a red fox in the snow, at dawn"
_ORDERS: dict[str, dict[str, Any]] = {
    "succeeded": {"input": {"prompt": _FOX}, "parameters": {"count": 2}, "metadata": {"customer": "7"}},
    "duplicate": {"input": {"prompt": "an eagle over the sea [duplicate=2]"}},
    "conflicting": {"input": {"prompt": "two owls at night [conflict]"}},
    "failed": {"input": {"prompt": "a lighthouse in a storm [fail=DataInspectionFailed]"}},
    "running": {"model": "flux-schnell", "input": {"prompt": "a slow river [delay=1h]"}},
    "partial": {"model": "flux-schnell", "input": {"prompt": "four cups [partial=1]"}, "parameters": {"n": 4}},
    "hostile": {"input": {"prompt": HOSTILE}, "metadata": {HOSTILE[:60]: HOSTILE}},
}
_KEPT = ("succeeded", "duplicate", "partial", "hostile")
_OVER = {"conflicting": "succeeded", "failed": "failed", **dict.fromkeys(_KEPT, "succeeded")}


def seed(place: Place) -> Ids:
    """Fills an empty house and waits until all of it has come to rest."""
    subscribers = _subscribe(place)
    jobs = {name: place.api("POST", "/jobs", _order(order), expect=202)["id"] for name, order in _ORDERS.items()}
    for name, status in _OVER.items():
        place.api.reached(jobs[name], status)
    for name in _KEPT:
        eventually(lambda name=name: all(one["artifact"] for one in place.api.job(jobs[name])["results"] if one["url"]))
    _post_callbacks(place, jobs["hostile"])
    return jobs | subscribers | _found(place, jobs, subscribers)


def _order(order: Mapping[str, Any]) -> dict[str, Any]:
    return {"provider": "dashscope" if "model" in order else "acedata", "model": "flux-dev", **order}


def _subscribe(place: Place) -> dict[str, str]:
    """One that takes all; one whose answers are hostile, so that its deliveries die; one that asks for patience."""
    html = (("Content-Type", "text/html"), ("X-Says", HOSTILE))
    place.endpoint.answers |= {
        "/broken": Reply(500, f"<h1>Internal error</h1>{HOSTILE}".encode(), html),
        "/busy": Reply(503, b"Later, please.", (("Retry-After", "3600"),)),
    }
    wanted: dict[str, dict[str, Any]] = {
        "subscriber": {"url": place.endpoint.at("/webhooks"), "description": "The shop's orders"},
        "broken": {
            "url": place.endpoint.at("/broken") + "?q=<script>window.__pwned=1</script>",
            "description": HOSTILE,
            "headers": {"X-Shop": "<b onclick=window.__pwned=1>7</b>"},
            "metadata": {"note": HOSTILE},
        },
        "busy": {"url": place.endpoint.at("/busy"), "events": ["job.failed"]},
    }
    return {name: place.api("POST", "/subscribers", body, expect=201)["id"] for name, body in wanted.items()}


def _post_callbacks(place: Place, job_id: str) -> None:
    """What no simulator sends, as whoever has the callback URL could: hostile headers, and bodies that are none."""
    prompt = place.api.job(job_id)["input"]["prompt"]
    (task,) = [task for task in place.world.tasks.values() if task.prompt == prompt]
    url, headers = task.request["callback_url"], {"X-Says": HOSTILE, "User-Agent": HOSTILE}
    error = {"success": False, "task_id": task.id, "error": {"code": HOSTILE, "message": HOSTILE}}
    with httpx.Client(trust_env=False) as client:
        assert client.post(url, json=error, headers=headers).is_success
        assert client.post(url, content=f"{HOSTILE} is not JSON", headers=headers).is_client_error


def _found(place: Place, jobs: Ids, subscribers: Ids) -> dict[str, str]:
    def first(path: str, **query: str) -> str:
        return eventually(lambda: next((str(row["id"]) for row in place.api.all(path, **query)), ""))

    eventually(lambda: _settled(place, subscribers["busy"]))
    return {
        f"callback_{name}": first("/callbacks", verdict=verdict, job_id=jobs[job])
        for name, verdict, job in (
            ("duplicate", "duplicate", "duplicate"),
            ("conflicting", "conflicting", "conflicting"),
            ("hostile", "conflicting", "hostile"),
            ("invalid", "invalid", "hostile"),
        )
    } | {
        f"delivery_{status}": first("/deliveries", status=status, subscriber_id=subscribers[to])
        for status, to in (("delivered", "subscriber"), ("dead", "broken"), ("pending", "busy"))
    }


def _settled(place: Place, patient: str) -> bool:
    """Whether nothing is owed but to the one that asked for patience."""
    owed = [row for status in ("pending", "delivering") for row in place.api.all("/deliveries", status=status)]
    return all(row["subscriber_id"] == patient for row in owed)
