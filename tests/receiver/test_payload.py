"""Bodies that fit: full, thin, and full ones that are too large."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ledger.job import Job
from ledger.outbox import body
from receiver.payload import MAX_BODY, fit, thin

AT = 1_700_000_000_000

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)
NAMES = st.sampled_from(["id", "task_id", "status", "sequence", "type", "timestamp", "data", "id_", "x"]) | st.text()
OBJECTS = st.dictionaries(NAMES, JSON | st.dictionaries(NAMES, JSON))


def job(**changes: Any) -> dict[str, Any]:
    made: dict[str, Any] = {"id": "job_1", "provider": "dashscope", "model": "m", "status": "succeeded", "input": {}}
    return Job(**made | {"parameters": {}, "metadata": {}, "created_at": AT, "task_id": "t"} | changes).document()


def test_a_thin_body_names_the_job_and_its_state() -> None:
    full = body("job.succeeded", AT, job(input={"prompt": "a cat"}, results=[{"url": "u", "artifact": None}]))
    assert json.loads(thin(full)) == {
        "type": "job.succeeded",
        "timestamp": "2023-11-14T22:13:20.000Z",
        "data": {"id": "job_1", "status": "succeeded", "task_id": "t"},
    }


def test_a_thin_body_keeps_every_id_and_the_status() -> None:
    data = {"delivery_id": "dlv_1", "subscriber_id": "sub_1", "status": "dead", "sequence": 2, "url": "u", "idea": "x"}
    kept = {name: data[name] for name in ("delivery_id", "subscriber_id", "status")}
    assert json.loads(thin(body("delivery.dead", AT, data)))["data"] == kept
    assert json.loads(thin(body("postback.ping", AT, {"subscriber_id": "sub_1"})))["data"] == {"subscriber_id": "sub_1"}


def test_a_document_in_the_place_of_an_id_is_left_out() -> None:
    data = {"id": {"a": 1}, "task_id": "x" * 257, "status": ["s"], "sequence": 1.5, "other_id": None}
    assert json.loads(thin(body("job.failed", AT, data)))["data"] == {"other_id": None}


def test_a_full_body_is_sent_as_it_is() -> None:
    full = body("job.succeeded", AT, job())
    assert fit(full, "full") is full
    assert fit(full, "thin") == thin(full)


@pytest.mark.parametrize(("over", "thinned"), [(0, False), (1, True)])
def test_a_full_body_that_is_too_large_becomes_thin_and_says_so(over: int, thinned: bool) -> None:
    empty = len(body("job.succeeded", AT, job(input={"prompt": ""})))
    full = body("job.succeeded", AT, job(input={"prompt": "x" * (MAX_BODY - empty + over)}))
    assert len(full) == MAX_BODY + over
    sent = fit(full, "full")
    assert (sent != full) == thinned
    if thinned:
        assert json.loads(sent)["data"] == {
            "id": "job_1",
            "status": "succeeded",
            "task_id": "t",
            "thinned": "the full notification is 262145 bytes, over 262144: fetch the job by its id",
        }
        assert "thinned" not in json.loads(fit(full, "thin"))["data"]


@given(OBJECTS, st.sampled_from(["full", "thin"]))
def test_any_object_gives_ids_and_states(full: dict[str, Any], payload: str) -> None:
    written = json.dumps(full).encode()
    sent = fit(written, payload)
    assert sent == fit(written, payload)
    if payload == "full":
        assert sent == written
        return
    document = json.loads(sent.decode("utf-8"))
    assert document.keys() <= {"type", "timestamp", "data"}
    read, data = json.loads(written), full.get("data")
    for name, value in document["data"].items():
        assert name in ("id", "status") or name.endswith("_id")
        assert value == read["data"][name]
    assert isinstance(data, dict) or document["data"] == {}


@given(st.binary(), st.sampled_from(["full", "thin", "", "other"]))
def test_any_bytes_are_something_to_send(written: bytes, payload: str) -> None:
    assert isinstance(fit(written, payload), bytes)


@pytest.mark.parametrize(
    "written",
    [b"", b"null", b"[]", b"1", b"{", b"\xff", b"[" * 100_000, b'{"data":' + b"9" * 5000 + b"}"],
    ids=["empty", "null", "list", "number", "open", "not UTF-8", "deep", "long number"],
)
def test_what_is_no_notification_stays(written: bytes) -> None:
    assert thin(written) == written


def test_half_a_surrogate_pair_stays_json() -> None:
    assert json.loads(thin(b'{"type":"t","data":{"id":"\\ud800"}}').decode("utf-8"))["data"] == {"id": "\ud800"}
