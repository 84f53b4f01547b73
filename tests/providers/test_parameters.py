"""The table of providers and the tables of parameters hold together."""

from collections import Counter

import pytest

from providers import PROVIDERS, choose
from providers.parameters import Kind, Parameter
from providers.protocol import Provider

EVERY_PROVIDER = pytest.mark.parametrize("provider", PROVIDERS.values(), ids=lambda provider: provider.name)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("flux-dev", "dashscope"),
        ("flux-schnell", "dashscope"),
        ("stable-diffusion-3.5-large-turbo", "dashscope"),
        ("stable-diffusion-v3.5-large", "dashscope"),
        ("wan2.6-t2i", "dashscope"),
        ("flux-pro", "acedata"),
        ("flux-kontext-max", "acedata"),
        ("flux-2-pro", "acedata"),
    ],
)
def test_choose(model: str, name: str) -> None:
    provider = choose(model)
    assert provider is not None
    assert provider.name == name


@pytest.mark.parametrize("model", ["", "dall-e-3", "FLUX-DEV", "flux-*", "flux-unheard-of"])
def test_choose_nobody(model: str) -> None:
    assert choose(model) is None


@EVERY_PROVIDER
def test_provider_is_in_order(provider: Provider) -> None:
    assert PROVIDERS[provider.name] is provider
    assert provider.default_model is None or provider.default_model in provider.models
    assert all(provider.has(model) for model in provider.models)


@EVERY_PROVIDER
def test_each_model_has_each_parameter_once_with_examples_that_fit(provider: Provider) -> None:
    for model in provider.models:
        rows = [row for row in provider.parameters if row.applies_to(model)]
        assert "prompt" in {row.name for row in rows}
        assert max(Counter(row.name for row in rows).values()) == 1
        for row in rows:
            assert row.says.endswith(".")
            assert row.pointer == f"/{row.place}/{row.name}"
            for value in (row.default, row.example):
                assert value is None or (row.problem(value), row.warning(value)) == (None, None)


def test_range_in_words() -> None:
    steps = Parameter("steps", "parameters", Kind.INTEGER, "Steps.", minimum=1, maximum=500)
    assert steps.warning(501) == "steps 501 is outside what the documents list (1 to 500)."
    least = Parameter("steps", "parameters", Kind.INTEGER, "Steps.", minimum=1)
    assert least.warning(0) == "steps 0 is outside what the documents list (1 or more)."
    most = Parameter("steps", "parameters", Kind.INTEGER, "Steps.", maximum=9)
    assert most.warning(10) == "steps 10 is outside what the documents list (at most 9)."
    color = Parameter("color", "parameters", Kind.STRING, "Color.", choices=("red", "blue"))
    assert color.warning("x" * 99) == f"color {'x' * 39}… is outside what the documents list (red, blue)."
