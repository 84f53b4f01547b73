import dataclasses

import pytest

from postback.simulator import script
from postback.simulator.script import BadScript, Script


def test_a_prompt_without_words_asks_for_nothing() -> None:
    assert script.read("a [very] red fox [in=brackets]", "flux-dev") == Script()


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("[delay=2s]", Script(delay=2.0)),
        ("[delay=500ms]", Script(delay=0.5)),
        ("[delay=0]", Script(delay=0.0)),
        ("[fail]", Script(fail="")),
        ("[fail=DataInspectionFailed]", Script(fail="DataInspectionFailed")),
        ("[partial]", Script(partial=1)),
        ("[throttle=3]", Script(throttle=3)),
        ("[error]", Script(error=(500, ""))),
        ("[error=429:PrepaidBillOverdue]", Script(error=(429, "PrepaidBillOverdue"))),
        ("[html=504]", Script(html=504)),
        ("[duplicate]", Script(duplicate=2)),
        ("[late=1m]", Script(late=60.0)),
        ("一只猫 [cut] 奔跑 [conflict]", Script(cut=True, conflict=True)),
    ],
)
def test_words_are_read(prompt: str, expected: Script) -> None:
    assert script.read(prompt, "flux-dev") == expected


@pytest.mark.parametrize(
    "prompt", ["[delay]", "[delay=soon]", "[cut=yes]", "[throttle=-1]", "[error=200]", "[partial=1001]"]
)
def test_a_bad_value_is_told(prompt: str) -> None:
    with pytest.raises(BadScript, match=r"takes .+, as in \["):
        script.read(prompt, "flux-dev")


def test_a_model_adds_its_words_and_the_prompt_overrules_them() -> None:
    assert script.read("a fox", "sim-slow") == Script(delay=30.0)
    assert script.read("a fox [delay=1s]", "sim-slow") == Script(delay=1.0)


def test_each_word_is_a_field_of_the_script_and_its_example_can_be_read() -> None:
    assert [word.name for word in script.WORDS if script.read(word.example, "")] == [word.name for word in script.WORDS]
    assert {word.name for word in script.WORDS} == {field.name for field in dataclasses.fields(Script)}


@pytest.mark.parametrize("model", script.MODELS)
def test_the_words_of_each_model_can_be_read(model: str) -> None:
    script.read("", model)
