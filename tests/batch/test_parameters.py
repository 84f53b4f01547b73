"""What the documents say of a model's fields: on the command line, and as examples in the OpenAPI."""

import jsonschema_rs
import pytest

from postback.api.openapi import describe
from providers import PROVIDERS
from providers.protocol import Order
from tests.cli.conftest import Cli
from tests.cli.stub import Stub

MODELS = [(provider, model) for provider in PROVIDERS.values() for model in provider.models]


def test_each_field_with_how_it_is_given(cli: Cli, stub: Stub) -> None:
    shown = cli("submit", "--parameters", "stable-diffusion-3.5-large")
    assert (shown.code, stub.asked) == (0, [])
    lines = {line.split("  ")[0]: line for line in shown.out.splitlines()}
    assert {"PROMPT", "--size", "--n", "--seed", "--steps", "-p cfg=4.5", "--input init_image=…"} <= lines.keys()
    assert "--input negative_prompt='yellow cat'" in lines
    assert "1…500" in lines["--steps"]
    assert "each 512 to 1024 in steps of 128" in lines["--size"]
    assert "stable-diffusion-3.5-large at dashscope" in shown.err


def test_a_provider_can_be_named(cli: Cli) -> None:
    assert "-p guidance=3.5" in cli("submit", "--parameters", "flux-dev").out
    shown = cli("submit", "--parameters", "flux-dev", "--provider", "acedata").out
    assert "guidance" not in shown
    assert "generate, edit, edits" in shown
    assert "1…" in shown


def test_as_json(cli: Cli) -> None:
    fields = {field["name"]: field for field in cli("submit", "--parameters", "flux-dev", "--json").json}
    assert fields["steps"]["default"] == 30
    assert fields["prompt"]["place"] == "input"


@pytest.mark.parametrize(
    ("more", "told"),
    [
        (["nonsense"], "nonsense is in no provider's documents"),
        (["flux-dev", "--provider", "nobody"], "there is no provider nobody; write dashscope or acedata"),
        (["flux-dev", "--wait"], "--parameters cannot be combined with wait"),
    ],
)
def test_usage(cli: Cli, more: list[str], told: str) -> None:
    shown = cli("submit", "--parameters", *more)
    assert shown.code == 2
    assert told in shown.err


def test_help_leads_there(cli: Cli) -> None:
    assert "--parameters MODEL" in cli("submit", "--help").out


@pytest.mark.parametrize(("provider", "model"), MODELS, ids=[f"{one.name}-{model}" for one, model in MODELS])
def test_every_documented_model_has_an_example_that_is_beyond_doubt(provider: object, model: str) -> None:
    description = describe()
    content = description["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]
    name = next(name for name, one in PROVIDERS.items() if one is provider)
    example = content["examples"][f"{name}/{model}"]["value"]
    jsonschema_rs.validator_for(content["schema"] | {"components": description["components"]}).validate(example)
    assert (example["provider"], example["model"]) == (name, model)
    check = PROVIDERS[name].check(Order(model, example["input"], example["parameters"]))
    assert (check.problems, check.warnings) == ((), ())


def test_there_are_no_other_examples() -> None:
    content = describe()["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]
    assert set(content["examples"]) == {f"{provider.name}/{model}" for provider, model in MODELS}
