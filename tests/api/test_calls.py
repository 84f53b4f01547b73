"""The calls that the design names are there; each wants the key unless it is open to all."""

from typing import Any

import pytest
from starlette.routing import Route

from .stage import API_KEY, BASE, Stage, problem

pytestmark = pytest.mark.anyio

CALLS = """
POST   /v1/jobs
GET    /v1/jobs
GET    /v1/jobs/{id}
GET    /v1/jobs/{id}/timeline
POST   /v1/jobs/{id}/cancel
POST   /v1/jobs/{id}/resubmit
DELETE /v1/jobs/{id}
POST   /v1/subscribers
GET    /v1/subscribers
GET    /v1/subscribers/{id}
PATCH  /v1/subscribers/{id}
DELETE /v1/subscribers/{id}
GET    /v1/subscribers/{id}/secret
POST   /v1/subscribers/{id}/rotate-secret
POST   /v1/subscribers/{id}/test
POST   /v1/subscribers/{id}/recover
GET    /v1/subscribers/{id}/audit
POST   /v1/rekey
POST   /v1/keys
GET    /v1/keys
DELETE /v1/keys/{id}
POST   /v1/sign-in-links
GET    /v1/callbacks
GET    /v1/callbacks/{id}
GET    /v1/notifications
GET    /v1/notifications/{id}
GET    /v1/deliveries
GET    /v1/deliveries/{id}
POST   /v1/deliveries/{id}/redeliver
"""
WITH_KEY = [tuple(line.split()) for line in CALLS.strip().splitlines()]
OPEN = [
    ("POST", "/callbacks/{token}"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
]
WITH_ID = [(method, path) for method, path in WITH_KEY if "{id}" in path]


async def routes_of(stage: Stage) -> set[tuple[str, str]]:
    """Method and path of everything that the application answers."""
    rest: Any = stage.app.router.default
    routes = [*stage.app.routes, *(await rest.load()).routes]
    assert all(isinstance(route, Route) for route in routes)
    return {
        (method, route.path)
        for route in routes
        if isinstance(route, Route)
        for method in set(getattr(route.endpoint, "methods", None) or route.methods or ()) - {"HEAD"}
    }


async def test_every_call_of_the_design_is_there(stage: Stage) -> None:
    assert set(WITH_KEY + OPEN) <= await routes_of(stage)


async def test_without_the_key_every_call_but_the_open_ones_is_401(stage: Stage) -> None:
    missing = ["", "Bearer", "Bearer ", API_KEY, f"Basic {API_KEY}"]
    wrong = ["Bearer wrong", f"Bearer {API_KEY}x", f"Bearer {API_KEY[:-1]}", "Bearer \xe9"]
    told: dict[bool, set[str]] = {False: set(), True: set()}
    closed = {(method, path) for method, path in await routes_of(stage) if path.startswith("/v1/")}
    assert set(WITH_KEY) <= closed
    for method, path in closed:
        for text in [None, *missing, *wrong]:
            headers = {} if text is None else {"authorization": text.encode("latin-1")}
            answer = await stage.anyone.request(method, path.replace("{id}", "job_1"), headers=headers)
            detail = problem(answer, 401, "unauthorized")["detail"]
            assert answer.headers["www-authenticate"] == "Bearer"
            told[text in wrong].add(detail)
    (of_none,), (of_wrong,) = told[False], told[True]
    assert "Authorization: Bearer KEY" in of_none
    assert of_wrong == "This API key is not known here, or it was revoked."
    assert API_KEY not in of_none


async def test_health_and_the_description_need_no_key(stage: Stage) -> None:
    for path in ("/healthz", "/readyz", "/openapi.json", "/docs"):
        assert (await stage.anyone.get(path)).status_code == 200, path


async def test_the_scheme_is_case_insensitive(stage: Stage) -> None:
    for scheme in ("Bearer", "bearer", "BEARER", "Bearer "):
        answer = await stage.anyone.get("/v1/jobs", headers={"authorization": f"{scheme} {API_KEY}"})
        assert answer.status_code == 200, scheme


@pytest.mark.parametrize("unknown", ["job_00000000000000000000000000", "%00", "%F0%9F%90%88", "x" * 5_000])
async def test_an_unknown_id_is_404(both: Stage, unknown: str) -> None:
    bodies = {"PATCH": {}, "POST": {"since": "2026-01-31T12:00:00Z"}}
    for method, path in WITH_ID:
        body = {"json": bodies[method]} if method == "PATCH" or path.endswith("/recover") else {}
        problem(await both.client.request(method, path.replace("{id}", unknown), **body), 404, "not-found")


async def test_an_unknown_address_is_404_and_never_a_redirect(stage: Stage) -> None:
    for path in ("/v1", "/v1/jobs/", "/v1/jobs/a/b", "/v1/job", "/V1/jobs", "/callbacks", "//v1/jobs"):
        problem(await stage.client.get(BASE + path), 404, "not-found")


async def test_a_wrong_method_is_405_and_names_the_right_ones(stage: Stage) -> None:
    methods: dict[str, set[str]] = {}
    for method, path in await routes_of(stage):
        methods.setdefault(path, set()).update({method, "HEAD"} if method == "GET" else {method})
    for path, right in methods.items():
        for method in {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "FANCY"} - right:
            answer = await stage.client.request(method, path.replace("{id}", "job_1"))
            problem(answer, 405, "method-not-allowed")
            assert set(answer.headers["allow"].split(", ")) == right, (method, path)
