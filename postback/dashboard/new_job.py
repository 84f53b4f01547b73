"""`/new-job`: a form for each model, and the job that it makes."""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from ledger.errors import KeyReused
from postback.api import job_acts, jobs, requests
from postback.api.bodies import MAX_KEY, NewJob
from postback.dashboard import forms, shell
from postback.dashboard.new_job_form import OTHERS, Field, beside, fields_of, fill
from postback.dashboard.page import Page
from postback.house import House
from providers import PROVIDERS
from receiver.problems import Problem

FIRST = ("dashscope", "flux-schnell")
"""What the form is for until another model is chosen."""

KEY_OF = {"dashscope": "DASHSCOPE_API_KEY", "acedata": "ACEDATA_API_TOKEN"}
OWN_ADDRESS = {"dashscope": "aliyuncs.com", "acedata": "acedata.cloud"}
"""The domains that are the providers' own: anything else is a stand-in or a proxy."""

ESCAPED = 3
"""A form may take so many bytes for one of the text's."""

REUSED = "This form has made a job already. Send it again to make another one."


@dataclass(frozen=True, slots=True)
class _Choice:
    """A provider and a model; without a model its name is a field of the form."""

    provider: str
    model: str

    @property
    def value(self) -> str:
        return f"{self.provider}:{self.model}"


async def show(house: House, request: Request) -> Response:
    """The form, for the model that the URL names."""
    choice = _chosen(house, request.query_params.get("use"))
    return _draw(house, request, choice, {"model": choice.model}, _new_key())


async def create(house: House, request: Request) -> Response:
    """Makes the job. Sent twice, the same form makes one."""
    sent = await forms.read(request, ESCAPED * house.settings.max_body)
    given = {name: value for name, value in sent.items() if isinstance(value, str)}
    choice, key = _chosen(house, given.get("use")), given.get("key", "")
    if not (0 < len(key) <= MAX_KEY and key.isascii() and key.isprintable()):
        raise Problem("bad-request", "The form has no key of its own. Open it again.")
    model = (given.get("model", "") if not choice.model else choice.model).strip()
    fields = fields_of(choice.provider, model)
    filled = fill(fields, given)
    try:
        asked = _asked(choice.provider, model, filled.input, filled.parameters, filled.metadata)
        draft = jobs.prepare(house, asked, key)
        if filled.errors:
            return _draw(house, request, choice, given, key, errors=filled.errors)
        made = await job_acts.submit(house, asked, draft)
    except KeyReused:
        return _draw(house, request, choice, given, _new_key(), says=[REUSED])
    except Problem as problem:
        errors, says = _sorted(problem, fields)
        return _draw(house, request, choice, given, key, errors=errors | filled.errors, says=says)
    return shell.see_other(f"/jobs/{made.job.id}", "The job is recorded and goes out as soon as its pace allows.")


async def other_address(house: House, request: Request) -> Response:
    """Where one would look for it, too."""
    return RedirectResponse("/new-job", 303)


def _asked(provider: str, model: str, given: object, parameters: object, metadata: object) -> NewJob:
    fields = {"provider": provider, "model": model, "input": given}
    fields |= {name: value for name, value in (("parameters", parameters), ("metadata", metadata)) if value}
    try:
        return NewJob.model_validate(fields)
    except ValidationError as error:
        raise requests.refused(error) from None


def _sorted(problem: Problem, fields: list[Field]) -> tuple[dict[str, str], list[str]]:
    """What is wrong, by field, and what belongs to none."""
    errors: dict[str, str] = {}
    says = [] if problem.errors else [problem.detail]
    for one in problem.errors:
        pointer, detail = one.get("pointer", ""), one["detail"]
        name = beside(pointer, fields)
        if name is None or name in errors:
            says.append(f"{pointer.lstrip('/')}: {detail}" if name else f"{detail[:1].upper()}{detail[1:]}")
        else:
            errors[name] = detail
    return errors, says


def _draw(
    house: House,
    request: Request,
    choice: _Choice,
    given: Mapping[str, str],
    key: str,
    errors: Mapping[str, str] | None = None,
    says: list[str] | None = None,
) -> Response:
    base = None if (account := house.settings.account(choice.provider)) is None else account.base_url
    return shell.draw(
        house,
        request,
        "new_job.html",
        422 if errors or says else 200,
        choice=choice,
        groups=[(name, provider.models) for name, provider in PROVIDERS.items()],
        fields=fields_of(choice.provider, choice.model or given.get("model", "")),
        given=given,
        others=OTHERS,
        key=key,
        errors=errors or {},
        says=says or [],
        base=base,
        is_own=base is not None and OWN_ADDRESS[choice.provider] in base,
        sends="dispatcher" in house.roles,
        key_name=KEY_OF[choice.provider],
    )


def _chosen(house: House, use: str | None) -> _Choice:
    """The provider and model of `dashscope:flux-dev`; without one the first that there is a key for."""
    provider, _, model = (use or "").partition(":")
    if provider in PROVIDERS:
        return _Choice(provider, model)
    ready = [name for name in PROVIDERS if house.settings.account(name) is not None]
    if not ready or FIRST[0] in ready:
        return _Choice(*FIRST)
    return _Choice(ready[0], PROVIDERS[ready[0]].default_model or PROVIDERS[ready[0]].models[0])


def _new_key() -> str:
    return f"form-{secrets.token_urlsafe(16)}"


ROUTES: tuple[Page, ...] = (
    Page("GET", "/new-job", show, scope="submit"),
    Page("POST", "/new-job", create, scope="submit"),
    Page("GET", "/jobs/new", other_address, scope="submit"),
)
