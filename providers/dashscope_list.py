"""DashScope's task list: the whole account's tasks of a window of time, without their results.

    GET /tasks?page_no&page_size&start_time&end_time    {total, data: [...], total_page, page_no, page_size}

Times are asked for as `YYYYMMDDhhmmss` in a zone that no document states, so the caller says which to try.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from providers.dashscope_errors import POLICY
from providers.dashscope_reading import STATUSES, accepted
from providers.fields import count_of, task_id_of, text_of
from providers.protocol import Answer, Call, JobStatus, Listed, Listing, Refusal, Unreadable

PAGE_SIZE = 100


class DashScopeLists:
    """DashScope's list as the protocol's `Lists`."""

    zones: tuple[int, ...] = (8, 0)
    """China's time most likely, else UTC."""

    def ask(self, since: int, until: int, page: int, zone: int) -> Call:
        window = {"start_time": _stamp(since, zone), "end_time": _stamp(until + 999, zone)}
        return Call("GET", "/tasks?" + urlencode({"page_no": page, "page_size": PAGE_SIZE, **window}))

    def read(self, answer: Answer) -> Listing | Refusal:
        body = accepted(answer)
        if isinstance(body, Refusal):
            return body
        rows = body.get("data")
        if not isinstance(rows, list):
            return POLICY.unreadable(answer, "its data are not an array")
        tasks = (_listed(row) for row in rows if isinstance(row, dict))
        return Listing(tuple(task for task in tasks if task is not None), max(1, count_of(body, "total_page") or 1))


def _listed(row: dict[str, Any]) -> Listed | None:
    try:
        task_id, word = task_id_of(row), text_of(row, "status") or text_of(row, "task_status")
        key = text_of(row, "user_api_unique_key")
    except Unreadable:
        return None
    created_at = row.get("gmt_create")
    if task_id is None or word is None or not isinstance(created_at, int) or isinstance(created_at, bool):
        return None
    status = STATUSES.get(word.strip().upper(), JobStatus.PENDING)
    model = key.rsplit(":", 1)[-1] if key else None
    return Listed(task_id, status, word, model, created_at)


def _stamp(milliseconds: int, zone: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds // 1_000, UTC) + timedelta(hours=zone):%Y%m%d%H%M%S}"
