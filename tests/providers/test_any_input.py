"""Whatever arrives, reading it ends in a reading, a refusal or `Unreadable`."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from providers import PROVIDERS
from providers.protocol import Answer, Order, Provider, Reading, Refusal, Unreadable

EVERY_PROVIDER = pytest.mark.parametrize("provider", PROVIDERS.values(), ids=lambda provider: provider.name)
WORDS = [
    "output",
    "task_id",
    "task_status",
    "results",
    "url",
    "code",
    "message",
    "task_metrics",
    "TOTAL",
    "usage",
    "image_count",
    "choices",
    "content",
    "image",
    "video_url",
    "success",
    "data",
    "image_url",
    "error",
    "id",
    "response",
    "started_at",
    "finished_at",
    "request",
    "trace_id",
    "SUCCEEDED",
    "FAILED",
    "RUNNING",
    "UNKNOWN",
    "InvalidParameter",
    "Throttling",
    "api_error",
]
NAMES = st.sampled_from(WORDS) | st.text(max_size=5)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | NAMES
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=6),
    max_leaves=25,
)
BODIES = st.binary(max_size=200) | VALUES.map(lambda value: json.dumps(value).encode())
HEADERS = st.dictionaries(st.sampled_from(["retry-after", "date"]), st.text(max_size=40))
ANSWERS = st.builds(
    Answer, st.sampled_from([200, 204, 302, 400, 404, 429, 500, 504]) | st.integers(100, 999), HEADERS, BODIES
)


@EVERY_PROVIDER
@settings(max_examples=150, deadline=None)
@given(answer=ANSWERS)
def test_answers(provider: Provider, answer: Answer) -> None:
    assert isinstance(provider.read_submit(answer), Reading | Refusal)
    assert isinstance(provider.read_cancel(answer), Refusal | None)
    assert isinstance(provider.callback_body(answer), bytes)
    said = provider.read_fetch(answer)
    assert isinstance(said, Reading | Refusal)
    if isinstance(said, Reading) and said.status.final:
        assert provider.read_callback(provider.callback_body(answer)) == said


@EVERY_PROVIDER
@settings(max_examples=150, deadline=None)
@given(body=BODIES)
def test_callbacks(provider: Provider, body: bytes) -> None:
    try:
        reading = provider.read_callback(body)
    except Unreadable:
        return
    texts = [reading.task_id, reading.provider_status, *(result.url for result in reading.results)]
    texts += [word for fault in (reading.error,) if fault for word in (fault.code, fault.message)]
    assert not any("\x00" in text for text in texts if text)


@EVERY_PROVIDER
@settings(max_examples=100, deadline=None)
@given(
    model=st.text(max_size=10) | st.sampled_from(["flux-dev", "wan2.6-image"]),
    fields=st.dictionaries(NAMES, VALUES, max_size=4),
)
def test_orders_without_problems_can_be_sent(provider: Provider, model: str, fields: dict[str, Any]) -> None:
    order = Order(model, {"prompt": "x", **fields}, fields)
    if not provider.check(order).problems:
        assert json.loads(provider.submit(order, "https://a.example/callbacks/t").body or b"")["model"] == model
