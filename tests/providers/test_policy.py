"""Errors: what is done about each, and what people are told."""

import pytest

from providers import PROVIDERS
from providers.policy import retry_after
from providers.protocol import Answer, Disposition, Provider, Refusal

DASHSCOPE, ACEDATA = PROVIDERS["dashscope"], PROVIDERS["acedata"]
HTML = b"<html><body><h1>Bad Gateway</h1>secret</body></html>"
GOOD_DATE = "Fri, 14 Jun 2024 06:30:44 GMT"


def submitted(provider: Provider, status: int, body: bytes, **headers: str) -> Refusal:
    said = provider.read_submit(Answer(status, headers, body))
    assert isinstance(said, Refusal)
    return said


@pytest.mark.parametrize("provider", [DASHSCOPE, ACEDATA], ids=lambda provider: provider.name)
@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, Disposition.AMBIGUOUS),
        (204, Disposition.AMBIGUOUS),
        (302, Disposition.FINAL),
        (403, Disposition.FINAL),
        (408, Disposition.AMBIGUOUS),
        (429, Disposition.THROTTLE),
        (500, Disposition.AMBIGUOUS),
        (502, Disposition.AMBIGUOUS),
        (504, Disposition.AMBIGUOUS),
        (599, Disposition.AMBIGUOUS),
    ],
)
@pytest.mark.parametrize("body", [HTML, b"", b"[1]", b"\xff", b'{"a":1,"a":2}'])
def test_answers_that_are_no_json_object_go_by_status(
    provider: Provider, status: int, expected: Disposition, body: bytes
) -> None:
    refusal = submitted(provider, status, body)
    assert refusal.disposition is expected
    assert refusal.code == f"HTTP {status}"
    assert "<" not in refusal.message
    assert "secret" not in refusal.message


def test_unknown_codes_go_by_status_and_keep_their_words() -> None:
    refusal = submitted(DASHSCOPE, 409, b'{"code":"Brand.New","message":"so it is"}')
    assert refusal == Refusal(Disposition.FINAL, "Brand.New", "so it is", 409)
    assert submitted(DASHSCOPE, 429, b'{"code":"Brand.New","message":"x"}').disposition is Disposition.THROTTLE
    assert submitted(DASHSCOPE, 200, b'{"code":"Brand.New","message":"x"}').disposition is Disposition.AMBIGUOUS


def test_a_throttling_code_counts_under_any_status_and_a_final_one_not_under_500() -> None:
    assert submitted(DASHSCOPE, 503, b'{"code":"Throttling"}').disposition is Disposition.THROTTLE
    assert submitted(DASHSCOPE, 500, b'{"code":"InvalidParameter"}').disposition is Disposition.AMBIGUOUS


def test_429_says_that_nothing_was_started_whatever_its_code() -> None:
    assert submitted(DASHSCOPE, 429, b'{"code":"InternalError"}').disposition is Disposition.THROTTLE
    assert submitted(ACEDATA, 429, b'{"error":{"code":"api_error"}}').disposition is Disposition.THROTTLE
    assert submitted(ACEDATA, 429, b'{"error":{"code":"used_up"}}').disposition is Disposition.FINAL


def test_a_submission_without_task_id_is_ambiguous() -> None:
    for body in (b'{"output":{}}', b'{"output":{"task_id":null}}', b'{"output":{"task_id":"a\\u0000"}}'):
        assert submitted(DASHSCOPE, 200, body).disposition is Disposition.AMBIGUOUS
    for body in (b"{}", b'{"success":true}', b'{"task_id":7}', b'{"task_id":".."}'):
        assert submitted(ACEDATA, 200, body).disposition is Disposition.AMBIGUOUS


def test_acedata_failures_under_http_200() -> None:
    def told(error: bytes) -> Disposition:
        return submitted(ACEDATA, 200, b'{"success":false,"task_id":"t","error":' + error + b"}").disposition

    assert told(b'{"code":"too_many_requests"}') is Disposition.THROTTLE
    assert told(b'{"code":"invalid_token"}') is Disposition.FINAL
    assert told(b'{"code":"moderated"}') is Disposition.FINAL
    assert told(b'{"code":"api_error"}') is Disposition.AMBIGUOUS
    assert told(b'"something"') is Disposition.AMBIGUOUS
    assert told(b"null") is Disposition.AMBIGUOUS


def test_acedata_404_is_a_job_only_where_json_says_so() -> None:
    for body in (HTML, b'{"error":{"code":"no_api","message":"x"}}'):
        said = ACEDATA.read_fetch(Answer(404, {}, body))
        assert isinstance(said, Refusal)
        assert said.disposition is Disposition.FINAL


def test_cancel() -> None:
    assert DASHSCOPE.read_cancel(Answer(200, {}, b'{"request_id":"r"}')) is None
    refusal = DASHSCOPE.read_cancel(Answer(400, {}, b'{"code":"UnsupportedOperation","message":"not PENDING"}'))
    assert refusal == Refusal(Disposition.FINAL, "UnsupportedOperation", "not PENDING", 400)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": " 1.5 "}, 1.5),
        ({"retry-after": "-3"}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "9" * 400}, None),
        ({"retry-after": "٣"}, None),
        ({"retry-after": "Fri, 14 Jun 2024 06:31:44 GMT", "date": GOOD_DATE}, 60.0),
        ({"retry-after": "Fri, 14 Jun 2024 06:29:44 GMT", "date": GOOD_DATE}, 0.0),
        ({"retry-after": "Fri, 14 Jun 2024 06:31:44 GMT"}, None),
        ({"retry-after": "Fri, 14 Jun 2024 06:31:44 GMT", "date": "yesterday"}, None),
        ({"retry-after": "Fri, 14 Jun 2024 06:31:44 -0000", "date": GOOD_DATE}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_a_refusal_carries_retry_after() -> None:
    assert submitted(DASHSCOPE, 429, HTML, **{"retry-after": "3"}).retry_after == 3.0


@pytest.mark.parametrize(
    ("provider", "code", "word"),
    [
        (DASHSCOPE, "InvalidApiKey", "DASHSCOPE_API_KEY"),
        (DASHSCOPE, "Arrearage", "bill"),
        (DASHSCOPE, "PostpaidBillOverdue", "bill"),
        (DASHSCOPE, "Model.AccessDenied", "Apply"),
        (DASHSCOPE, "Throttling.RateQuota", "POSTBACK_DASHSCOPE_SUBMIT_RATE"),
        (DASHSCOPE, "Throttling.AllocationQuota", "quota"),
        (ACEDATA, "invalid_token", "ACEDATA_API_TOKEN"),
        (ACEDATA, "used_up", "top it up"),
    ],
)
def test_hints(provider: Provider, code: str, word: str) -> None:
    assert word in (provider.hint(code) or "")


@pytest.mark.parametrize("provider", [DASHSCOPE, ACEDATA], ids=lambda provider: provider.name)
def test_no_hint_for_what_we_do_not_know(provider: Provider) -> None:
    assert provider.hint("HTTP 502") is None
