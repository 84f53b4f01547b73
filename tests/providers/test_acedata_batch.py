"""AceData's `retrieve_batch`: several jobs in one answer, none of them at the mercy of its neighbours."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from providers import PROVIDERS
from providers.acedata_batch import AceDataBatches
from providers.protocol import Answer, Disposition, Fault, JobStatus, Reading, Refusal, Result

BATCHES = AceDataBatches()
IMAGE = {"success": True, "task_id": "done", "data": [{"image_url": "https://images.example/1.png"}]}
DONE = {"id": "done", "created_at": 1.0, "started_at": 2.0, "finished_at": 3.0, "response": IMAGE}
WORKING = {"id": "working", "created_at": 1.0, "started_at": 2.0}
WAITING = {"id": "waiting", "created_at": 1.0}
REFUSED = {"id": "refused", "response": {"success": False, "error": {"code": "forbidden", "message": "no"}}}


def answer(items: Any, status: int = 200, **more: Any) -> Answer:
    return Answer(status, {}, json.dumps({"items": items, "count": 1, **more}).encode())


def read(*items: Any) -> Mapping[str, tuple[Reading | Refusal, bytes]]:
    said = BATCHES.read(answer(list(items)))
    assert not isinstance(said, Refusal)
    return said


def test_acedata_answers_for_several_and_dashscope_for_one() -> None:
    assert isinstance(PROVIDERS["acedata"].batches, AceDataBatches)
    assert PROVIDERS["dashscope"].batches is None
    assert BATCHES.size == 20


def test_the_call() -> None:
    call = BATCHES.ask(["one", "other"])
    assert (call.method, call.path) == ("POST", "/flux/tasks")
    assert json.loads(call.body or b"") == {"action": "retrieve_batch", "ids": ["one", "other"]}


def test_each_is_read_for_itself() -> None:
    said = read(DONE, WORKING, WAITING, REFUSED)
    assert {task_id: reading for task_id, (reading, _) in said.items()} == {
        "done": Reading(JobStatus.SUCCEEDED, "done", results=(Result("https://images.example/1.png"),)),
        "working": Reading(JobStatus.RUNNING, "working"),
        "waiting": Reading(JobStatus.PENDING, "waiting"),
        "refused": Reading(JobStatus.FAILED, "refused", error=Fault("forbidden", "no")),
    }


def test_a_finished_one_brings_the_callback_that_it_becomes() -> None:
    said = read(DONE, WORKING, REFUSED)
    acedata = PROVIDERS["acedata"]
    for task_id in ("done", "refused"):
        reading, body = said[task_id]
        assert acedata.read_callback(body) == reading
    assert said["working"][1] == b""


def test_an_answer_without_items_of_ours_says_nothing() -> None:
    assert read() == {}


@pytest.mark.parametrize(
    "garbage", [None, 7, "x", [], {}, {"id": 7}, {"id": ".."}, {"response": "x"}, {"finished_at": 1}]
)
def test_garbage_that_names_nobody_is_passed_over(garbage: Any) -> None:
    assert list(read(garbage, WORKING)) == ["working"]


@pytest.mark.parametrize("response", ["x", 7, [], {"success": "yes"}, {"success": True, "data": 7}, {"error": 7}])
def test_garbage_that_names_a_job_is_no_word_about_it(response: Any) -> None:
    """Or a paid job would be given up as unknown to its provider."""
    said = read({"id": "odd", "finished_at": 3.0, "response": response}, WORKING)
    refusal, body = said["odd"]
    assert isinstance(refusal, Refusal)
    assert refusal.disposition is not Disposition.FINAL
    assert body == b""
    assert said["working"] == (Reading(JobStatus.RUNNING, "working"), b"")


@pytest.mark.parametrize("items", [None, {}, "x", 7])
def test_items_that_are_none_are_no_empty_batch(items: Any) -> None:
    said = BATCHES.read(answer(items))
    assert isinstance(said, Refusal)
    assert said.disposition is not Disposition.FINAL


@pytest.mark.parametrize(
    ("refused", "disposition"),
    [
        (Answer(429, {}, b'{"error":{"code":"too_many_requests","message":"x"}}'), Disposition.THROTTLE),
        (Answer(401, {}, b'{"error":{"code":"invalid_token","message":"x"}}'), Disposition.FINAL),
        (Answer(500, {}, b"oops"), Disposition.AMBIGUOUS),
        (Answer(200, {}, b"[]"), Disposition.AMBIGUOUS),
        (Answer(200, {}, b'{"success":false,"error":{"code":"api_error","message":"x"}}'), Disposition.AMBIGUOUS),
    ],
    ids=["throttled", "wrong token", "oops", "no object", "an error under 200"],
)
def test_a_refused_call_is_no_word_about_any_job(refused: Answer, disposition: Disposition) -> None:
    said = BATCHES.read(refused)
    assert isinstance(said, Refusal)
    assert said.disposition is disposition
