"""What DashScope is sent, and which orders are refused or warned about before."""

import json
from typing import Any

import pytest

from providers import PROVIDERS
from providers.dashscope_models import MODELS
from providers.protocol import Account, Order

DASHSCOPE = PROVIDERS["dashscope"]
FLUX, SD35 = "flux-schnell", "stable-diffusion-3.5-large"


def order(model: str = FLUX, input: dict[str, Any] | None = None, **parameters: Any) -> Order:
    return Order(model, {"prompt": "一只奔跑的加菲猫"} if input is None else input, parameters)


def pointers(bad: Order) -> list[str]:
    return [problem.pointer for problem in DASHSCOPE.check(bad).problems]


def sent(good: Order) -> dict[str, Any]:
    return json.loads(DASHSCOPE.submit(good, None).body or b"")


def test_submission_is_the_documents_request() -> None:
    call = DASHSCOPE.submit(order(size="1024*1024", seed=42), "https://ignored.example/callback")
    assert (call.method, call.path) == ("POST", "/services/aigc/text2image/image-synthesis")
    assert call.headers == {"Content-Type": "application/json", "X-DashScope-Async": "enable"}
    assert (
        call.body
        == (
            '{"model":"flux-schnell","input":{"prompt":"一只奔跑的加菲猫"},"parameters":{"size":"1024*1024","seed":42}}'
        ).encode()
    )


def test_parameters_are_omitted_when_empty_and_unknown_ones_pass() -> None:
    assert "parameters" not in sent(order())
    unknown = order(input={"prompt": "x", "style": {"deep": [1]}}, lora="y")
    assert sent(unknown) == {
        "model": FLUX,
        "input": {"prompt": "x", "style": {"deep": [1]}},
        "parameters": {"lora": "y"},
    }
    assert DASHSCOPE.check(unknown).warnings == ()


def test_account_headers() -> None:
    account = Account("https://dashscope.aliyuncs.com/api/v1", "sk-1")
    assert DASHSCOPE.headers(account) == {"Authorization": "Bearer sk-1", "Accept": "application/json"}
    workspace = Account(account.base_url, "sk-1", "ws_1")
    assert DASHSCOPE.headers(workspace)["X-DashScope-WorkSpace"] == "ws_1"


@pytest.mark.parametrize(
    "input",
    [{"prompt": "x", "init_image": "oss://bucket/a.png"}, {"prompt": "x", "images": ["http://a/b", "oss://b"]}],
)
def test_oss_inputs_are_resolved_by_the_provider(input: dict[str, Any]) -> None:
    assert DASHSCOPE.submit(order(SD35, input), None).headers["X-DashScope-OssResourceResolve"] == "enable"


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("flux-merged", "aigc/text2image/image-synthesis"),
        ("stable-diffusion-3.5-large-turbo", "aigc/text2image/image-synthesis"),
        ("wan2.5-t2i-preview", "aigc/text2image/image-synthesis"),
        ("qwen-image-plus-2026-01-09", "aigc/text2image/image-synthesis"),
        ("a-model-of-tomorrow", "aigc/text2image/image-synthesis"),
        ("wanx2.1-imageedit", "aigc/image2image/image-synthesis"),
        ("wan2.5-i2i-preview", "aigc/image2image/image-synthesis"),
        ("wan2.6-t2i", "aigc/image-generation/generation"),
        ("wan2.6-image", "aigc/image-generation/generation"),
        ("wan2.2-i2v-flash", "aigc/video-generation/video-synthesis"),
        ("wan2.2-t2v-plus", "aigc/video-generation/video-synthesis"),
        ("wan2.2-kf2v-flash", "aigc/image2video/video-synthesis"),
    ],
)
def test_path_follows_the_model(model: str, path: str) -> None:
    assert DASHSCOPE.submit(order(model), None).path == f"/services/{path}"


def test_every_named_model_is_known_and_needs_no_warning() -> None:
    for model in MODELS:
        assert DASHSCOPE.has(model)
        assert DASHSCOPE.check(order(model)).warnings == ()


def test_a_plain_prompt_becomes_a_message_where_the_model_wants_one() -> None:
    assert sent(order("wan2.6-t2i"))["input"] == {
        "messages": [{"role": "user", "content": [{"text": "一只奔跑的加菲猫"}]}]
    }
    messages = [{"role": "user", "content": [{"text": "x"}, {"image": "https://a/b.png"}]}]
    assert sent(order("wan2.6-image", {"messages": messages}))["input"] == {"messages": messages}
    assert pointers(order("wan2.6-image", {"messages": messages})) == []
    assert pointers(order("wan2.6-image", {"messages": []})) == ["/input/messages"]
    assert pointers(order("wan2.6-image", {})) == ["/input/prompt"]


@pytest.mark.parametrize("prompt", [None, "", "  \n", 5, ["x"], "nul\x00"])
@pytest.mark.parametrize("model", [FLUX, SD35])
def test_prompt_must_be_text(model: str, prompt: Any) -> None:
    assert pointers(order(model, {"prompt": prompt})) == ["/input/prompt"]


def test_prompt_is_required_but_for_image_to_video() -> None:
    assert pointers(order(FLUX, {})) == ["/input/prompt"]
    assert pointers(order("unheard-of", {"prompt": 5})) == ["/input/prompt"]
    assert pointers(order("wan2.2-i2v-flash", {"img_url": "https://a/b.png"})) == []


@pytest.mark.parametrize(
    ("model", "name", "value"),
    [
        (FLUX, "steps", "4"),
        (FLUX, "steps", True),
        (FLUX, "steps", 4.5),
        (FLUX, "seed", None),
        (FLUX, "size", 1024),
        (FLUX, "guidance", "3.5"),
        (FLUX, "guidance", True),
        (FLUX, "offload", "true"),
        (FLUX, "add_sampling_metadata", 1),
        (SD35, "n", "4"),
        (SD35, "n", False),
        (SD35, "cfg", [4]),
        (SD35, "shift", {}),
    ],
)
def test_wrong_types_are_problems(model: str, name: str, value: Any) -> None:
    assert pointers(order(model, **{name: value})) == [f"/parameters/{name}"]


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        (FLUX, {"guidance": 3}),
        (FLUX, {"guidance": 3.5}),
        (FLUX, {"size": "768*512", "steps": 50, "seed": -1, "offload": True, "add_sampling_metadata": False}),
        (SD35, {"size": "640*896", "n": 4, "steps": 500, "cfg": 4.5, "shift": 3, "seed": 1}),
    ],
)
def test_documented_values_pass_without_a_word(model: str, parameters: dict[str, Any]) -> None:
    assert DASHSCOPE.check(order(model, **parameters)) == DASHSCOPE.check(order(model))
    assert DASHSCOPE.check(order(model)).warnings == ()


@pytest.mark.parametrize(
    ("model", "parameters"),
    [
        (FLUX, {"size": "1024x1024"}),
        (FLUX, {"size": "720*1280"}),
        (SD35, {"size": "1152*512"}),
        (SD35, {"size": "5121024"}),
        (SD35, {"n": 5}),
        (SD35, {"n": 0}),
        (SD35, {"steps": 501}),
        (SD35, {"cfg": 12}),
    ],
)
def test_values_outside_the_documents_warn_and_are_sent(model: str, parameters: dict[str, Any]) -> None:
    check = DASHSCOPE.check(order(model, **parameters))
    assert (check.problems, len(check.warnings)) == ((), 1)
    assert sent(order(model, **parameters))["parameters"] == parameters


def test_a_prompt_that_will_be_cut_off_warns() -> None:
    def warned(model: str, prompt: str) -> bool:
        return bool(DASHSCOPE.check(order(model, {"prompt": prompt})).warnings)

    assert not warned(FLUX, "word " * 500)
    assert warned(FLUX, "word " * 501)
    assert not warned(FLUX, "猫" * 500)
    assert warned(FLUX, "猫" * 501)
    assert not warned(SD35, "word " * 75)
    assert warned(SD35, "word " * 76)


def test_a_field_in_the_wrong_place_warns() -> None:
    check = DASHSCOPE.check(order(SD35, {"prompt": "x", "n": 2}))
    assert check.problems == ()
    assert check.warnings == ("n stands in input; the documents have it in parameters.",)


def test_the_prose_name_of_stable_diffusion_is_taken_with_advice() -> None:
    check = DASHSCOPE.check(order("stable-diffusion-v3.5-large-turbo"))
    assert check.problems == ()
    assert "stable-diffusion-3.5-large-turbo" in check.warnings[0]


def test_an_unknown_model_is_sent_with_a_warning() -> None:
    check = DASHSCOPE.check(order("a-model-of-tomorrow"))
    assert (check.problems, len(check.warnings)) == ((), 1)


@pytest.mark.parametrize("model", ["", "  ", "flux\x00", "flux\n", "x" * 201])
def test_bad_model_names_are_problems(model: str) -> None:
    assert "/model" in pointers(order(model))


@pytest.mark.parametrize("value", [float("nan"), {1, 2}, "\ud800"])
def test_what_json_cannot_say_is_a_problem(value: Any) -> None:
    assert pointers(order(extra=value)) == ["/parameters"]


def test_calls_about_a_task_cannot_leave_their_path() -> None:
    assert DASHSCOPE.fetch("a/../b?c").path == "/tasks/a%2F..%2Fb%3Fc"
    cancel = DASHSCOPE.cancel("t-1")
    assert cancel is not None
    assert (cancel.method, cancel.path, cancel.body) == ("POST", "/tasks/t-1/cancel", None)
