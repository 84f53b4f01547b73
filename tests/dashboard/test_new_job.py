"""`/new-job`: a form for each model, from the tables that the API judges by; one job however often it is sent."""

import html
import re
from typing import Any

import httpx2 as httpx
import pytest
from builders import count, rows
from pydantic import SecretStr

from ledger.schema import jobs
from postback.dashboard import new_job
from postback.dashboard.new_job_form import beside, fields_of, fill
from providers import PROVIDERS
from providers.parameters import Kind
from tests.api.stage import Stage

from .conftest import browser_at

pytestmark = pytest.mark.anyio

PATH = "/new-job"
BAD = "<script>alert('x')</script>"


async def opened(browser: httpx.AsyncClient, use: str = "") -> dict[str, str]:
    """The form's hidden fields."""
    answer = await browser.get(PATH, params={"use": use} if use else {})
    assert answer.status_code == 200
    return hidden(answer.text)


def hidden(page: str) -> dict[str, str]:
    return dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page))


def errors(page: str) -> dict[str, str]:
    """What stands beside fields, by their names."""
    return {name: html.unescape(said) for name, said in re.findall(r'<p class="error" id="e-([^"]+)">(.*?)</p>', page)}


async def test_a_form_makes_the_job_that_it_says(both: Stage) -> None:
    async with browser_at(both) as browser:
        form = await opened(browser, "dashscope:flux-schnell")
        filled = {
            "input.prompt": "a cat\r\nin the snow\n",
            "parameters.size": "768*512",
            "parameters.seed": "9007199254740993",
            "parameters.guidance": "2.5",
            "parameters.steps": "",
            "parameters.offload": "false",
            "metadata": 'customer=7\n\nname = ACME Corp\ntags=["a"]\nequation=a=b',
            "more_parameters": "new=true",
        }
        answer = await browser.post(PATH, data=form | filled)
        (row,) = await rows(both.ledger, jobs)
        assert (answer.status_code, answer.headers["location"]) == (303, f"/jobs/{row.id}")
        assert (row.provider, row.model, row.status) == ("dashscope", "flux-schnell", "queued")
        assert row.input == {"prompt": "a cat\nin the snow\n"}
        assert row.parameters == {
            "size": "768*512",
            "seed": 9007199254740993,
            "guidance": 2.5,
            "offload": False,
            "new": True,
        }
        assert row.metadata == {"customer": 7, "name": "ACME Corp", "tags": ["a"], "equation": "a=b"}
        assert row.warnings == []
        assert "The job is recorded" in (await browser.get(answer.headers["location"])).text


async def test_a_double_click_makes_one_job(stage: Stage, browser: httpx.AsyncClient) -> None:
    form = await opened(browser) | {"input.prompt": "a cat"}
    first, second = [await browser.post(PATH, data=form) for _ in range(2)]
    assert first.headers["location"] == second.headers["location"]
    assert await count(stage.ledger, jobs) == 1
    assert (await opened(browser))["key"] != form["key"]


async def test_another_job_from_the_same_form_is_asked_about_first(stage: Stage, browser: httpx.AsyncClient) -> None:
    form = await opened(browser) | {"input.prompt": "a cat"}
    await browser.post(PATH, data=form)
    answer = await browser.post(PATH, data=form | {"input.prompt": "a dog"})
    assert answer.status_code == 422
    assert new_job.REUSED in answer.text
    assert "a dog" in answer.text
    assert await count(stage.ledger, jobs) == 1
    again = hidden(answer.text)
    assert again["key"] != form["key"]
    assert (await browser.post(PATH, data=again | {"input.prompt": "a dog"})).status_code == 303


@pytest.mark.parametrize(
    ("use", "filled", "wrong"),
    [
        ("dashscope:flux-dev", {}, {"input.prompt": "is required"}),
        (
            "dashscope:flux-dev",
            {"input.prompt": "x", "parameters.seed": "many", "parameters.guidance": "1e999"},
            {
                "parameters.seed": "must be an integer, not a string",
                "parameters.guidance": "must be a number, not a string",
            },
        ),
        (
            "dashscope:flux-dev",
            {"input.prompt": "x", "parameters.seed": "1.5"},
            {"parameters.seed": "must be an integer, not a number"},
        ),
        ("acedata:flux-dev", {"input.prompt": "x", "parameters.count": "0"}, {"parameters.count": "must be 1 or more"}),
        (
            "acedata:flux-dev",
            {"input.action": "edit"},
            {"input.prompt": "is required", "input.image_url": "is required"},
        ),
        (
            "acedata:flux-dev",
            {"input.prompt": "x", "more_input": "model=other"},
            {"more_input": "is filled in by Postback"},
        ),
        (
            "dashscope:flux-dev",
            {"input.prompt": "x", "metadata": "one\n"},
            {"metadata": "line 1 is not of the form name=value"},
        ),
        ("dashscope:", {"input.prompt": "x", "model": ""}, {"model": "String should have at least 1 character"}),
    ],
)
async def test_what_the_api_refuses_is_said_beside_its_field(
    stage: Stage, browser: httpx.AsyncClient, use: str, filled: dict[str, str], wrong: dict[str, str]
) -> None:
    form = await opened(browser, use)
    answer = await browser.post(PATH, data=form | filled)
    assert answer.status_code == 422
    assert errors(answer.text) == wrong
    assert hidden(answer.text) == form, "nothing was made, so its key is still good"
    for value in filled.values():
        assert html.escape(value).replace("&#x27;", "&#39;") in answer.text
    assert await count(stage.ledger, jobs) == 0


async def test_a_model_that_nobody_listed_is_passed_on_with_a_warning(stage: Stage, browser: httpx.AsyncClient) -> None:
    form = await opened(browser, "acedata:")
    answer = await browser.post(PATH, data=form | {"model": "flux-3", "input.prompt": "x"})
    assert answer.status_code == 303
    (row,) = await rows(stage.ledger, jobs)
    assert (row.provider, row.model, len(row.warnings)) == ("acedata", "flux-3", 1)


@pytest.mark.parametrize(
    ("provider", "model"), [(name, model) for name, provider in PROVIDERS.items() for model in provider.models]
)
def test_every_documented_parameter_of_a_model_has_its_field(provider: str, model: str) -> None:
    fields = fields_of(provider, model)
    names = [field.name for field in fields]
    assert {one.pointer[1:].replace("/", ".") for one in PROVIDERS[provider].parameters if one.applies_to(model)} | {
        "input.prompt"
    } == set(names)
    assert len(names) == len(set(names))
    assert names[0] == "input.prompt"
    assert names == sorted(names, key=lambda name: name.startswith("parameters.")), "its input comes first"
    for field in fields:
        assert beside(f"/{field.name.replace('.', '/')}", fields) == field.name


async def test_every_model_can_be_chosen_and_shows_its_ranges(browser: httpx.AsyncClient) -> None:
    page = html.unescape((await browser.get(PATH, params={"use": "dashscope:stable-diffusion-3.5-large"})).text)
    for name, provider in PROVIDERS.items():
        for model in provider.models:
            assert f'<option value="{name}:{model}"' in page
    assert '<option value="dashscope:stable-diffusion-3.5-large" selected>' in page
    assert "(1 to 500)" in page
    assert 'placeholder="1024*1024"' in page


def test_what_is_not_of_its_kind_is_left_to_the_check() -> None:
    fields = fields_of("dashscope", "flux-dev")
    assert {field.kind for field in fields} == set(Kind)
    given = {"parameters.seed": " 7 ", "parameters.steps": "[1]", "parameters.guidance": "null", "input.prompt": "7"}
    filled = fill(fields, given)
    assert filled.parameters == {"seed": 7, "steps": "[1]", "guidance": "null"}
    assert filled.input == {"prompt": "7"}


def with_keys(stage: Stage, **changes: Any) -> None:
    stage.house.settings = stage.house.settings.model_copy(update=changes)


async def test_without_a_key_it_says_how_to_go_on(stage: Stage, browser: httpx.AsyncClient) -> None:
    stage.house.roles = frozenset({"api", "receiver", "dispatcher"})
    page = (await browser.get(PATH)).text
    assert "No key for dashscope is set here" in page
    assert "<code>DASHSCOPE_API_KEY</code>" in page
    assert "<code>postback simulator</code>" in page
    answer = await browser.post(PATH, data=hidden(page) | {"input.prompt": "x"})
    assert answer.status_code == 422
    assert "No key for dashscope is set: set DASHSCOPE_API_KEY" in answer.text
    assert await count(stage.ledger, jobs) == 0


async def test_the_first_model_is_one_that_there_is_a_key_for(stage: Stage, browser: httpx.AsyncClient) -> None:
    with_keys(stage, acedata_api_token=SecretStr("t0ken"), acedata_base_url="http://127.0.0.1:8415/acedata")
    page = (await browser.get(PATH)).text
    assert hidden(page)["use"] == "acedata:flux-dev"
    assert "http://127.0.0.1:8415/acedata" in page
    assert "a simulator or a proxy" in page
    with_keys(stage, acedata_base_url="https://api.acedata.cloud")
    page = (await browser.get(PATH)).text
    assert "a simulator or a proxy" not in page
    assert "No key for" not in page


async def test_where_somebody_else_sends_nothing_is_said_of_keys(browser: httpx.AsyncClient) -> None:
    assert "No key for" not in (await browser.get(PATH)).text


async def test_bad_data_comes_back_as_text(stage: Stage, browser: httpx.AsyncClient) -> None:
    form = await opened(browser, f"dashscope:{BAD}")
    filled = {"input.prompt": f"</textarea>{BAD}", "metadata": BAD, "more_input": BAD}
    answer = await browser.post(PATH, data=form | {"use": f"dashscope:{BAD}"} | filled)
    assert answer.status_code == 422
    for page in (answer.text, (await browser.get(PATH, params={"use": f"dashscope:{BAD}"})).text):
        assert "<script>alert" not in page


async def test_a_form_without_its_key_or_too_long_makes_nothing(stage: Stage, browser: httpx.AsyncClient) -> None:
    form = await opened(browser) | {"input.prompt": "x"}
    for key in ("", "x" * 256, "é"):
        assert (await browser.post(PATH, data=form | {"key": key})).status_code == 400
    size = new_job.ESCAPED * stage.house.settings.max_body
    assert (await browser.post(PATH, data=form | {"input.prompt": "x" * size})).status_code == 413
    assert await count(stage.ledger, jobs) == 0


async def test_who_may_only_look_makes_no_job(stage: Stage) -> None:
    key = (await stage.client.post("/v1/keys", json={"name": "Ann", "scope": "read"})).json()["key"]
    async with browser_at(stage, key) as browser:
        assert (await browser.get(PATH)).status_code == 403
        assert (await browser.post(PATH, data={"key": "form-x", "input.prompt": "x"})).status_code == 403
    assert await count(stage.ledger, jobs) == 0


async def test_the_other_address_leads_here(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/jobs/new")
    assert (answer.status_code, answer.headers["location"]) == (303, PATH)


async def test_everything_that_is_wrong_is_said_at_once(stage: Stage, browser: httpx.AsyncClient) -> None:
    form = await opened(browser, "dashscope:flux-dev")
    answer = await browser.post(PATH, data=form | {"metadata": "nothing", "parameters.seed": "many"})
    assert answer.status_code == 422
    assert set(errors(answer.text)) == {"metadata", "input.prompt", "parameters.seed"}
    assert await count(stage.ledger, jobs) == 0
