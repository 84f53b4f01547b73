"""Readings that the table of samples cannot show: types that are wrong, and answers that contradict themselves."""

import json
from typing import Any

import pytest

from providers import PROVIDERS
from providers.protocol import Answer, Disposition, Fault, JobStatus, Reading, Refusal, Result, Unreadable

DASHSCOPE, ACEDATA = PROVIDERS["dashscope"], PROVIDERS["acedata"]


def task(**output: Any) -> bytes:
    return json.dumps({"output": {"task_id": "t", "task_status": "SUCCEEDED", **output}}).encode()


@pytest.mark.parametrize("bad", [7, {"url": 7}, {"code": 7}, ["x"]])
def test_one_bad_result_does_not_hide_the_others(bad: object) -> None:
    reading = DASHSCOPE.read_callback(task(results=[bad, {"url": "https://images.example/1.png"}]))
    assert reading.status is JobStatus.SUCCEEDED
    assert [result.url for result in reading.results] == [None, "https://images.example/1.png"]
    assert reading.results[0].error is not None
    assert reading.results[0].error.code == "Unreadable"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"output":null}',
        b'{"output":[]}',
        b'{"output":{}}',
        b'{"code":"InvalidApiKey","message":"x"}',
        task(task_status=None),
        task(task_status=7),
        task(task_id=7),
        task(task_id=""),
        task(task_id=".."),
        task(task_id="a\x00b"),
        task(task_id="a b "),
        task(task_id="x" * 256),
        task(results={}),
        task(choices=[7]),
        task(choices=[{"message": {"content": "x"}}]),
        task(video_url=7),
    ],
)
def test_dashscope_callbacks_that_are_none(body: bytes) -> None:
    with pytest.raises(Unreadable):
        DASHSCOPE.read_callback(body)
    refusal = DASHSCOPE.read_fetch(Answer(200, {}, body))
    assert isinstance(refusal, Refusal)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b'{"success":"true","task_id":"t"}',
        b'{"task_id":7,"success":true}',
        b'{"task_id":"t","data":"x"}',
        b'{"task_id":"t","data":[7]}',
        b'{"task_id":"t","data":[{"image_url":7}]}',
        b'{"task_id":"t","error":7}',
        b'{"task_id":"t","error":{"code":7}}',
    ],
)
def test_acedata_callbacks_that_are_none(body: bytes) -> None:
    with pytest.raises(Unreadable):
        ACEDATA.read_callback(body)


def test_metrics_and_counts_of_the_wrong_type_are_left_out() -> None:
    body = b'{"output":{"task_status":"RUNNING","task_metrics":{"TOTAL":"4","SUCCEEDED":true,"FAILED":-1}},'
    body += b'"usage":{"image_count":9223372036854775808}}'
    reading = DASHSCOPE.read_callback(body)
    assert reading.metrics is not None
    assert (reading.metrics.total, reading.metrics.succeeded, reading.metrics.failed) == (None, None, None)
    assert reading.image_count is None
    assert reading.task_id is None


def test_the_status_word_is_kept_as_received() -> None:
    assert DASHSCOPE.read_callback(task(task_status="WARMING_UP")).provider_status == "WARMING_UP"
    assert DASHSCOPE.read_callback(task(task_status="SUCCESSED")).provider_status == "SUCCESSED"


def test_a_failed_task_in_the_form_of_the_sdk_is_a_failure_not_a_refusal() -> None:
    body = b'{"status_code":200,"code":"InvalidParameter","message":"no","output":{"task_status":"FAILED"}}'
    reading = DASHSCOPE.read_fetch(Answer(200, {}, body))
    assert isinstance(reading, Reading)
    assert (reading.status, reading.error) == (JobStatus.FAILED, Fault("InvalidParameter", "no"))


def test_right_after_the_submission_unknown_is_not_yet_a_verdict() -> None:
    reading = DASHSCOPE.read_submit(Answer(200, {}, task(task_status="UNKNOWN")))
    assert isinstance(reading, Reading)
    assert (reading.status, reading.provider_status) == (JobStatus.PENDING, "UNKNOWN")


def test_a_submission_may_bring_its_result_or_no_status() -> None:
    done = DASHSCOPE.read_submit(Answer(200, {}, task(results=[{"url": "u"}])))
    assert isinstance(done, Reading)
    assert (done.status, done.results) == (JobStatus.SUCCEEDED, (Result("u"),))
    quiet = DASHSCOPE.read_submit(Answer(200, {}, b'{"output":{"task_id":"t"}}'))
    assert quiet == Reading(JobStatus.PENDING, "t")


def test_control_characters_do_not_get_through() -> None:
    reading = DASHSCOPE.read_callback(task(task_status="FAILED", code="A\x00", message="b\x1b[31m"))
    assert reading.error == Fault("A\ufffd", "b\ufffd[31m")


def test_acedata_empty_data_in_an_acknowledgement_is_no_result() -> None:
    for data in (b"[]", b"{}", b"null"):
        said = ACEDATA.read_submit(Answer(200, {}, b'{"success":true,"task_id":"t","data":' + data + b"}"))
        assert said == Reading(JobStatus.PENDING, "t")


def test_acedata_data_beside_an_error_string_is_a_success() -> None:
    said = ACEDATA.read_callback(b'{"task_id":"t","error":"warned","data":{"image_url":"u"}}')
    assert (said.status, said.error) == (JobStatus.SUCCEEDED, None)


def test_acedata_failure_beside_data_keeps_both() -> None:
    said = ACEDATA.read_callback(b'{"task_id":"t","success":false,"data":{"image_url":"u"}}')
    assert (said.status, said.results) == (JobStatus.FAILED, (Result("u"),))


def test_acedata_callback_that_only_acknowledges_is_progress() -> None:
    assert ACEDATA.read_callback(b'{"task_id":"t"}') == Reading(JobStatus.PENDING, "t")


def test_acedata_record_becomes_the_callback_that_did_not_come() -> None:
    record = (
        b'{"id":"t","request":{},"finished_at":2,"response":{"success":true,"trace_id":"x","data":{"image_url":"u"}}}'
    )
    body = ACEDATA.callback_body(Answer(200, {}, record))
    assert json.loads(body) == {"success": True, "trace_id": "x", "data": {"image_url": "u"}, "task_id": "t"}
    unfinished = ACEDATA.callback_body(Answer(200, {}, b'{"id":"t","started_at":1}'))
    assert ACEDATA.read_callback(unfinished) == Reading(JobStatus.PENDING, "t")


def test_acedata_record_that_is_finished_without_a_response_may_still_get_one() -> None:
    said = ACEDATA.read_fetch(Answer(200, {}, b'{"id":"t","finished_at":2,"response":null}'))
    assert said == Reading(JobStatus.RUNNING, "t")


def test_acedata_refusal_of_a_query_is_no_record() -> None:
    said = ACEDATA.read_fetch(Answer(200, {}, b'{"success":false,"error":{"code":"invalid_token","message":"x"}}'))
    assert said == Refusal(Disposition.FINAL, "invalid_token", "x", 200)
