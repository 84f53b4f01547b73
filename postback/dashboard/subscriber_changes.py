"""What the pages of subscribers do: a new one, changing, testing, rotating, pausing and forgetting one.

What is checked and how is the API's own; so are the sentences about what is wrong.
"""

from collections.abc import Mapping
from typing import TypeVar

from pydantic import BaseModel
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette.responses import Response

from ledger import subscribers
from postback.api import requests, secrets, trials
from postback.api.audit import actor
from postback.api.subscriber_bodies import NewSubscriber, Rotation, SubscriberChanges
from postback.api.subscribers import alter, make
from postback.dashboard import forms, subscriber_form
from postback.dashboard.page import Page
from postback.dashboard.shell import draw, see_other
from postback.dashboard.subscriber_form import Filled
from postback.dashboard.subscribers import form
from postback.house import House
from receiver.guard import refuse_url
from receiver.problems import Problem

M = TypeVar("M", bound=BaseModel)

MAX_FORM = 262_144


async def create(house: House, request: Request) -> Response:
    """Registers one and shows its secret, here and never again; from here it is tested."""
    filled = subscriber_form.read(await _fields(request), new=True)
    try:
        row, secret = await make(house, _checked(NewSubscriber, filled), actor(request))
    except Problem as problem:
        return form(house, request, filled.values, _wrong(house, problem, filled))
    return draw(house, request, "subscriber_secret.html", 201, row=row, secret=secret, rotated=False, grace=None)


async def change(house: House, request: Request) -> Response:
    """Changes one as the form says."""
    subscriber_id = request.path_params["id"]
    row = await house.ledger.read(subscribers.get, subscriber_id)
    filled = subscriber_form.read(await _fields(request), new=False)
    try:
        await alter(house, subscriber_id, _checked(SubscriberChanges, filled), actor(request))
    except Problem as problem:
        return form(house, request, filled.values, _wrong(house, problem, filled), subscribers.document(row))
    return see_other(_path(subscriber_id), "The subscriber was changed.")


async def enable(house: House, request: Request) -> Response:
    """Sends to it again."""
    await alter(house, request.path_params["id"], SubscriberChanges(enabled=True), actor(request))
    house.wake("forwarder")
    return see_other(_path(request.path_params["id"]), "The subscriber is enabled. What it missed can be recovered.")


async def disable(house: House, request: Request) -> Response:
    """Sends nothing to it until it is enabled."""
    await alter(house, request.path_params["id"], SubscriberChanges(enabled=False), actor(request))
    return see_other(_path(request.path_params["id"]), "The subscriber is disabled.")


async def rotate(house: House, request: Request) -> Response:
    """Gives it a new secret and shows that, here and never again."""
    subscriber_id = request.path_params["id"]
    grace = str((await _fields(request)).get("grace", "")).strip() or secrets.GRACE
    row, secret = await secrets.renew(house, subscriber_id, Rotation(grace=grace), actor(request))
    return draw(house, request, "subscriber_secret.html", row=row, secret=secret, rotated=True, grace=grace)


async def test(house: House, request: Request) -> Response:
    """Sends it a ping now; its page shows how that went."""
    subscriber_id = request.path_params["id"]
    sent = await trials.send(house, subscriber_id)
    return see_other(f"{_path(subscriber_id)}?tested={sent['id']}#test-result")


async def delete(house: House, request: Request) -> Response:
    """Forgets it."""
    await house.ledger.write(subscribers.delete, request.path_params["id"], actor(request))
    return see_other("/subscribers", "The subscriber was deleted.")


async def _fields(request: Request) -> FormData:
    return await forms.read(request, MAX_FORM)


def _checked(model: type[M], filled: Filled) -> M:
    """The form as the API would read it. Raises `Problem`."""
    asked = requests.checked(model, filled.document)
    if filled.errors:
        raise requests.invalid()
    return asked


def _wrong(house: House, problem: Problem, filled: Filled) -> Mapping[str, str]:
    """What is wrong, by field. Raises the problem again where it is not about fields."""
    if problem.kind != "invalid":
        raise problem
    # Where another field is wrong, the API does not come to judge the URL; a person wants to know all at once.
    refusal = refuse_url(filled.values["url"], house.settings.allow_networks)
    url = subscriber_form.said([{"pointer": "/url", "detail": refusal}] if refusal else [])
    return url | subscriber_form.said(problem.errors) | dict(filled.errors)


def _path(subscriber_id: str) -> str:
    return f"/subscribers/{subscriber_id}"


ROUTES: tuple[Page, ...] = (
    Page("POST", "/subscribers", create, "admin"),
    Page("POST", "/subscribers/{id}/edit", change, "admin"),
    Page("POST", "/subscribers/{id}/enable", enable, "admin"),
    Page("POST", "/subscribers/{id}/disable", disable, "admin"),
    Page("POST", "/subscribers/{id}/rotate-secret", rotate, "admin"),
    Page("POST", "/subscribers/{id}/test", test, "admin"),
    Page("POST", "/subscribers/{id}/delete", delete, "admin"),
)
