"""DashScope's list: the window that is asked for, and rows that are read with suspicion."""

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from providers import PROVIDERS
from providers.dashscope_list import DashScopeLists
from providers.protocol import Answer, Disposition, JobStatus, Listed, Listing, Refusal

NOON = 1_700_049_600_000
"""2023-11-15 12:00:00 UTC."""
KEY = "apikey:v1:aigc:text2image:image-synthesis:flux-schnell"
ROW = {
    "task_id": "task-1",
    "status": "RUNNING",
    "gmt_create": NOON,
    "start_time": NOON + 100,
    "end_time": None,
    "user_api_unique_key": KEY,
}
LISTS = DashScopeLists()


def answer(*data: Any, status: int = 200, **changes: Any) -> Answer:
    body = {"request_id": "r-1", "total": 1, "data": list(data), "total_page": 1, "page_no": 1, "page_size": 100}
    return Answer(status, {}, json.dumps(body | changes).encode())


def listing(*data: Any, **changes: Any) -> Listing:
    said = LISTS.read(answer(*data, **changes))
    assert isinstance(said, Listing)
    return said


def test_dashscope_has_a_list_and_acedata_none() -> None:
    assert isinstance(PROVIDERS["dashscope"].lists, DashScopeLists)
    assert PROVIDERS["acedata"].lists is None


@pytest.mark.parametrize(
    ("zone", "start", "end"),
    [(8, "20231115200000", "20231115200031"), (0, "20231115120000", "20231115120031")],
    ids=["China", "UTC"],
)
def test_the_window_is_written_in_the_zone_and_never_cut_short(zone: int, start: str, end: str) -> None:
    call = LISTS.ask(NOON + 900, NOON + 30_001, 3, zone)
    asked = urlsplit(call.path)
    assert (call.method, asked.path, call.body) == ("GET", "/tasks", None)
    assert parse_qs(asked.query) == {
        "page_no": ["3"],
        "page_size": ["100"],
        "start_time": [start],
        "end_time": [end],
    }


def test_china_is_tried_first() -> None:
    assert LISTS.zones == (8, 0)


def test_a_row() -> None:
    assert listing(ROW) == Listing((Listed("task-1", JobStatus.RUNNING, "RUNNING", "flux-schnell", NOON),), 1)


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("PENDING", JobStatus.PENDING),
        ("SUSPENDED", JobStatus.PENDING),
        ("RUNNING", JobStatus.RUNNING),
        ("SUCCEEDED", JobStatus.SUCCEEDED),
        ("SUCCESSED", JobStatus.SUCCEEDED),
        ("FAILED", JobStatus.FAILED),
        ("CANCELED", JobStatus.CANCELED),
        ("UNKNOWN", JobStatus.UNKNOWN),
        ("succeeded ", JobStatus.SUCCEEDED),
        ("REHEARSING", JobStatus.PENDING),
    ],
)
@pytest.mark.parametrize("name", ["status", "task_status"])
def test_status_words(name: str, word: str, status: JobStatus) -> None:
    row = {key: value for key, value in ROW.items() if key != "status"} | {name: word}
    (one,) = listing(row).tasks
    assert (one.status, one.provider_status) == (status, word)


@pytest.mark.parametrize("key", [None, ""])
def test_a_row_that_does_not_name_its_model(key: str | None) -> None:
    assert listing(ROW | {"user_api_unique_key": key}).tasks[0].model is None


@pytest.mark.parametrize(
    "bad",
    [
        7,
        None,
        [],
        {},
        ROW | {"task_id": None},
        ROW | {"task_id": 7},
        ROW | {"task_id": ".."},
        ROW | {"status": 7},
        ROW | {"gmt_create": None},
        ROW | {"gmt_create": "2023-11-15 12:00:00"},
        ROW | {"gmt_create": True},
        ROW | {"gmt_create": 1.5},
        ROW | {"user_api_unique_key": 7},
    ],
)
def test_a_bad_row_never_fails_its_neighbours(bad: Any) -> None:
    assert [task.task_id for task in listing(bad, ROW).tasks] == ["task-1"]


@pytest.mark.parametrize(("said", "pages"), [(0, 1), (1, 1), (7, 7), (None, 1), ("7", 1), (-1, 1), (True, 1)])
def test_how_many_pages_there_are(said: Any, pages: int) -> None:
    assert listing(total_page=said).pages == pages


@pytest.mark.parametrize("data", [None, {}, "x", 7])
def test_data_that_are_no_rows_are_no_empty_list(data: Any) -> None:
    said = LISTS.read(answer(data=data))
    assert isinstance(said, Refusal)
    assert "could not be read" in said.message


@pytest.mark.parametrize(
    ("refused", "disposition", "code"),
    [
        (Answer(429, {"retry-after": "7"}, b'{"code":"Throttling","message":"x"}'), Disposition.THROTTLE, "Throttling"),
        (Answer(401, {}, b'{"code":"InvalidApiKey","message":"x"}'), Disposition.FINAL, "InvalidApiKey"),
        (Answer(200, {}, b'{"code":"InvalidParameter","message":"x"}'), Disposition.FINAL, "InvalidParameter"),
        (Answer(502, {}, b"<h1>Bad Gateway</h1>"), Disposition.AMBIGUOUS, "HTTP 502"),
    ],
    ids=["throttled", "wrong key", "an error under 200", "html"],
)
def test_refusals_are_those_of_any_query(refused: Answer, disposition: Disposition, code: str) -> None:
    said = LISTS.read(refused)
    assert isinstance(said, Refusal)
    assert (said.disposition, said.code) == (disposition, code)
