"""What AceData is sent, and which orders are refused or warned about before."""

import json
from typing import Any

import pytest

from providers import PROVIDERS
from providers.acedata import AceData
from providers.protocol import Account, Order

ACEDATA = PROVIDERS["acedata"]
CALLBACK = "https://postback.example/callbacks/token"
CAT = {"prompt": "a white siamese cat"}
EDIT = {**CAT, "action": "edit", "image_url": "https://cdn.acedata.cloud/ytj2qy.png"}


def sent(order: Order, callback_url: str | None = CALLBACK, provider: AceData | None = None) -> dict[str, Any]:
    call = (provider or ACEDATA).submit(order, callback_url)
    assert (call.method, call.path) == ("POST", "/flux/images")
    assert call.headers == {"Content-Type": "application/json"}
    return json.loads(call.body or b"")


def pointers(input: dict[str, Any], **parameters: Any) -> list[str]:
    return [problem.pointer for problem in ACEDATA.check(Order("flux-kontext-pro", input, parameters)).problems]


def warnings(model: str, input: dict[str, Any], **parameters: Any) -> int:
    check = ACEDATA.check(Order(model, input, parameters))
    assert check.problems == ()
    return len(check.warnings)


def test_generate_with_a_callback() -> None:
    assert sent(Order("flux-dev", CAT, {"count": 2, "size": "1024x1024"})) == {
        "prompt": "a white siamese cat",
        "count": 2,
        "size": "1024x1024",
        "action": "generate",
        "model": "flux-dev",
        "callback_url": CALLBACK,
    }


def test_without_a_callback_the_task_id_is_asked_for_at_once() -> None:
    body = sent(Order("flux-dev", CAT), None)
    assert body["async"] is True
    assert "callback_url" not in body


@pytest.mark.parametrize("action", ["edit", "edits"])
def test_both_words_for_an_edit_are_taken_and_one_is_sent(action: str) -> None:
    order = Order("flux-kontext-pro", {**EDIT, "action": action})
    assert sent(order)["action"] == "edit"
    assert sent(order, provider=AceData("edits"))["action"] == "edits"
    assert sent(order)["image_url"] == EDIT["image_url"]


def test_prompts_go_out_as_themselves_and_unknown_parameters_pass() -> None:
    body = ACEDATA.submit(Order("flux-pro", {"prompt": "白猫"}, {"safety": [1]}), None).body
    assert body is not None
    assert "白猫".encode() in body
    assert sent(Order("flux-pro", CAT, {"safety": [1]}))["safety"] == [1]


@pytest.mark.parametrize("name", ["callback_url", "async", "model"])
def test_what_postback_fills_in_cannot_be_given(name: str) -> None:
    assert pointers({**CAT, name: "x"}) == [f"/input/{name}"]
    assert pointers(CAT, **{name: "x"}) == [f"/parameters/{name}"]
    assert sent(Order("flux-dev", {**CAT, "callback_url": "https://elsewhere"})) == sent(Order("flux-dev", CAT))


def test_headers() -> None:
    headers = ACEDATA.headers(Account("https://api.acedata.cloud", "key", "ignored"))
    assert headers == {"Authorization": "Bearer key", "Accept": "application/json"}


@pytest.mark.parametrize(
    ("input", "parameters", "bad"),
    [
        ({}, {}, "/input/prompt"),
        ({"prompt": " "}, {}, "/input/prompt"),
        ({"prompt": 5}, {}, "/input/prompt"),
        ({**EDIT, "prompt": ""}, {}, "/input/prompt"),
        ({**EDIT, "image_url": None}, {}, "/input/image_url"),
        ({**EDIT, "image_url": "ftp://a/b"}, {}, "/input/image_url"),
        ({**EDIT, "image_url": "https://"}, {}, "/input/image_url"),
        ({**EDIT, "image_url": "https://[bad"}, {}, "/input/image_url"),
        ({"prompt": "x", "action": "edits"}, {}, "/input/image_url"),
        ({**CAT, "action": 1}, {}, "/input/action"),
        (CAT, {"count": 0}, "/parameters/count"),
        (CAT, {"count": True}, "/parameters/count"),
        (CAT, {"count": "2"}, "/parameters/count"),
        (CAT, {"size": 1024}, "/parameters/size"),
    ],
)
def test_bad_orders(input: dict[str, Any], parameters: dict[str, Any], bad: str) -> None:
    assert pointers(input, **parameters) == [bad]


def test_odd_values_warn() -> None:
    assert warnings("flux-dev", CAT, count=2, size="1024x768") == 0
    assert warnings("flux-kontext-max", CAT, size="16:9") == 0
    assert warnings("flux-kontext-pro", EDIT) == 0
    assert warnings("flux-dev", CAT, size="1024*768") == 1
    assert warnings("flux-dev", {**CAT, "action": "upscale"}) == 1
    assert warnings("flux-dev", EDIT) == 1
    assert warnings("flux-kontext-pro", EDIT, count=2) == 1
    assert warnings("flux-9-nano", CAT) == 1


def test_fields_may_stand_in_either_place() -> None:
    assert warnings("flux-kontext-pro", {**CAT, "count": 2}, action="generate") == 0
    assert pointers({**CAT, "count": "2"}) == ["/input/count"]


def test_a_task_is_retrieved_by_id_and_never_canceled() -> None:
    call = ACEDATA.fetch("t-1")
    assert (call.method, call.path) == ("POST", "/flux/tasks")
    assert call.body == b'{"action":"retrieve","id":"t-1"}'
    assert ACEDATA.cancel("t-1") is None
