"""AceData's services by rows of a table: where each model is submitted and asked about, and what it is sent."""

import json
from typing import Any

import pytest

from providers import PROVIDERS, choose
from providers.acedata_services import FLUX, MODELS, SERVICES, named_service, service_of
from providers.protocol import Answer, JobStatus, Order, Reading, Result

ACEDATA = PROVIDERS["acedata"]
CALLBACK = "https://postback.example/callbacks/token"
CAT = {"prompt": "a white siamese cat"}
PATHS = [
    ("flux-dev", "flux"),
    ("flux-2-max", "flux"),
    ("a-model-of-tomorrow", "flux"),
    ("nano-banana", "nano-banana"),
    ("nano-banana-pro:official", "nano-banana"),
    ("nano-banana-of-tomorrow", "nano-banana"),
    ("doubao-seedream-5-0-260128", "seedream"),
    ("doubao-seededit-3-0-i2i-250628", "seedream"),
    ("qwen-image-3.0", "qwen-image"),
    ("qwen-image-3.0-pro", "qwen-image"),
]
EVERY_PATH = pytest.mark.parametrize(("model", "service"), PATHS)


def sent(model: str, input: dict[str, Any], callback_url: str | None = CALLBACK) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(ACEDATA.submit(Order(model, input), callback_url).body or b"")
    return body


def pointers(model: str, input: dict[str, Any], **parameters: Any) -> list[str]:
    return [problem.pointer for problem in ACEDATA.check(Order(model, input, parameters)).problems]


@EVERY_PATH
def test_paths(model: str, service: str) -> None:
    assert ACEDATA.batches is not None
    images, tasks = f"/{service}/images", f"/{service}/tasks"
    assert ACEDATA.submit(Order(model, CAT), CALLBACK).path == images
    assert ACEDATA.fetch("t-1", model).path == tasks
    assert ACEDATA.batches.ask(["t-1", "t-2"], model).path == tasks


@EVERY_PATH
def test_jobs_of_one_service_are_one_group(model: str, service: str) -> None:
    assert ACEDATA.batches is not None
    assert {other for other, its in PATHS if ACEDATA.batches.group(other) == ACEDATA.batches.group(model)} == {
        other for other, its in PATHS if its == service
    }


@pytest.mark.parametrize("model", MODELS)
def test_every_known_model_is_named_by_one_row(model: str) -> None:
    assert [row for row in SERVICES if named_service(model) is row] == [service_of(model)]
    assert ACEDATA.has(model)


@pytest.mark.parametrize("model", ["nano-banana-2", "doubao-seedream-4-5-251128", "qwen-image-3.0-pro"])
def test_their_models_need_no_explicit_provider(model: str) -> None:
    assert choose(model) is ACEDATA
    assert ACEDATA.check(Order(model, CAT)).warnings == ()


def test_dashscope_keeps_its_own_models() -> None:
    assert choose("qwen-image") is PROVIDERS["dashscope"]
    assert choose("qwen-image-plus") is PROVIDERS["dashscope"]
    assert service_of("qwen-image") is FLUX


@pytest.mark.parametrize("model", ["doubao-seedream-4-0-250828", "qwen-image-3.0"])
def test_fields_of_others_pass_unchanged(model: str) -> None:
    fields = {**CAT, "size": "2K", "image": ["https://images.example/1.png"], "count": "many"}
    assert sent(model, fields) == {**fields, "model": model, "callback_url": CALLBACK}
    assert sent(model, CAT, None) == {**CAT, "model": model, "async": True}
    assert ACEDATA.check(Order(model, fields)).warnings == ()
    assert pointers(model, fields) == []
    assert sent(model, {**CAT, "action": "anything"})["action"] == "anything"


def test_nano_banana_is_told_what_to_do_and_edits_several_images() -> None:
    assert sent("nano-banana", CAT)["action"] == "generate"
    edit = {**CAT, "action": "edits", "image_urls": ["https://images.example/1.png"]}
    assert sent("nano-banana", edit) == {**edit, "action": "edit", "model": "nano-banana", "callback_url": CALLBACK}
    assert pointers("nano-banana", edit) == []
    assert pointers("nano-banana", {**CAT, "action": 1}) == ["/input/action"]


@EVERY_PATH
def test_a_prompt_is_required_and_what_postback_fills_in_refused(model: str, service: str) -> None:
    assert pointers(model, {}) == ["/input/prompt"]
    assert pointers(model, CAT, callback_url=CALLBACK) == ["/parameters/callback_url"]


def test_models_that_no_row_names_are_judged_as_flux() -> None:
    check = ACEDATA.check(Order("a-model-of-tomorrow", CAT, {"count": 0}))
    assert [problem.pointer for problem in check.problems] == ["/parameters/count"]
    assert len(check.warnings) == 1
    assert pointers(" ", CAT) == ["/model"]


def test_the_reading_is_the_same() -> None:
    image = {"prompt": "a white siamese cat", "image_url": "https://images.example/1.png"}
    body = {"success": True, "task_id": "t-1", "trace_id": "x", "data": [image]}
    done = Reading(JobStatus.SUCCEEDED, "t-1", results=(Result("https://images.example/1.png"),))
    assert ACEDATA.read_callback(json.dumps(body).encode()) == done
    record = {"id": "t-1", "request": {}, "response": body}
    for found in (record, body):  # Seedream's document shows the response itself
        answer = Answer(200, {}, json.dumps(found).encode())
        assert ACEDATA.read_fetch(answer) == done
        assert ACEDATA.read_callback(ACEDATA.callback_body(answer)) == done
