"""The official `dashscope` SDK, unmodified, against a real server: its synchronous and its asyncio class."""

from collections.abc import AsyncIterator
from typing import Any

import dashscope
import httpx2 as httpx
import pytest
from dashscope import ImageSynthesis
from dashscope.aigc.image_synthesis import AioImageSynthesis
from dashscope.api_entities.aio_session import close_shared_aio_session

pytestmark = [pytest.mark.anyio, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

FLUX, SD = "flux-schnell", "stable-diffusion-3.5-large"


@pytest.fixture(autouse=True)
def aimed(server: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    monkeypatch.setattr(dashscope, "base_http_api_url", f"{server}/dashscope/api/v1")
    monkeypatch.setattr(dashscope, "api_key", f"sk-{request.node.name}")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
async def aio() -> AsyncIterator[Any]:
    yield AioImageSynthesis
    await close_shared_aio_session()


def test_call() -> None:
    answer = ImageSynthesis.call(model=FLUX, prompt="an eagle", size="1024*1024")
    assert (answer.status_code, answer.output.task_status) == (200, "SUCCEEDED")
    assert answer.output.task_metrics == {"TOTAL": 1, "SUCCEEDED": 1, "FAILED": 0}
    assert answer.usage.image_count == 1
    assert httpx.get(answer.output.results[0].url, trust_env=False).content.startswith(b"\x89PNG")


def test_async_call_fetch_and_wait() -> None:
    answer = ImageSynthesis.async_call(model=SD, prompt="一只鹰", negative_prompt="garfield", n=2)
    assert (answer.status_code, answer.output.task_status) == (200, "PENDING")
    assert ImageSynthesis.fetch(answer).output.task_status == "SUCCEEDED"
    assert len(ImageSynthesis.wait(answer).output.results) == 2


def test_failure() -> None:
    answer = ImageSynthesis.call(model=FLUX, prompt="[fail=DataInspectionFailed]")
    assert (answer.status_code, answer.output.task_status) == (200, "FAILED")
    assert answer.output["code"] == "DataInspectionFailed"


def test_partial_failure() -> None:
    answer = ImageSynthesis.call(model=SD, prompt="[partial=1]", n=4)
    assert answer.output.task_status == "SUCCEEDED"
    assert answer.output.task_metrics == {"TOTAL": 4, "SUCCEEDED": 3, "FAILED": 1}
    assert answer.output.results[3]["code"] == "InternalError.Timeout"
    assert answer.usage.image_count == 3


def test_unknown_model() -> None:
    answer = ImageSynthesis.async_call(model="no-such-model", prompt="an eagle")
    assert (answer.status_code, answer.code, answer.message) == (400, "InvalidParameter", "Model not exist.")


def test_bad_key() -> None:
    answer = ImageSynthesis.async_call(model=FLUX, prompt="an eagle", api_key="bad")
    assert (answer.status_code, answer.code) == (401, "InvalidApiKey")
    assert answer.request_id


def test_a_synchronous_call_is_refused() -> None:
    answer = ImageSynthesis.sync_call(model=FLUX, prompt="an eagle")
    assert (answer.status_code, answer.code) == (403, "AccessDenied")


def test_cancel_and_its_refusal() -> None:
    answer = ImageSynthesis.async_call(model=FLUX, prompt="[cancelable]")
    assert ImageSynthesis.cancel(answer).status_code == 200
    assert ImageSynthesis.wait(answer).output.task_status == "CANCELED"
    refused = ImageSynthesis.cancel(answer)
    assert (refused.status_code, refused.code) == (400, "UnsupportedOperation")


def test_list() -> None:
    answer = ImageSynthesis.async_call(model=FLUX, prompt="an eagle")
    listed = ImageSynthesis.list(model_name=FLUX, status="SUCCEEDED").output
    assert (listed["total"], listed["page_no"]) == (1, 1)
    assert listed["data"][0]["task_id"] == answer.output.task_id


def test_an_unknown_task() -> None:
    assert ImageSynthesis.wait("nonsense").output.task_status == "UNKNOWN"


async def test_aio_call(aio: Any) -> None:
    answer = await aio.call(model=FLUX, prompt="an eagle", size="1024*1024")
    assert (answer.status_code, answer.output.task_status) == (200, "SUCCEEDED")
    assert answer.output.results[0].url


async def test_aio_async_call_fetch_and_wait(aio: Any) -> None:
    answer = await aio.async_call(model=SD, prompt="一只鹰", n=2)
    assert (answer.status_code, answer.output.task_status) == (200, "PENDING")
    assert (await aio.fetch(answer)).output.task_status == "SUCCEEDED"
    assert len((await aio.wait(answer)).output.results) == 2


async def test_aio_failures(aio: Any) -> None:
    failed = await aio.call(model=FLUX, prompt="[fail]")
    assert failed.output.task_status == "FAILED"
    partial = await aio.call(model=SD, prompt="[partial=1]", n=2)
    assert partial.output.task_metrics == {"TOTAL": 2, "SUCCEEDED": 1, "FAILED": 1}
    unknown = await aio.async_call(model="no-such-model", prompt="an eagle")
    assert (unknown.status_code, unknown.code) == (400, "InvalidParameter")
    refused = await aio.async_call(model=FLUX, prompt="an eagle", api_key="bad")
    assert (refused.status_code, refused.code) == (401, "InvalidApiKey")


async def test_aio_cancel_and_list(aio: Any) -> None:
    answer = await aio.async_call(model=FLUX, prompt="[cancelable]")
    assert (await aio.cancel(answer)).status_code == 200
    refused = await aio.cancel(answer)
    assert (refused.status_code, refused.code) == (400, "UnsupportedOperation")
    listed = (await aio.list(status="CANCELED")).output
    assert [row["task_id"] for row in listed["data"]] == [answer.output.task_id]
