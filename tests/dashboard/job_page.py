"""The page of a job, read by a test; and attempts as it shows them."""

import html
import re
from typing import Any

import httpx2 as httpx
from builders import execute, rows
from sqlalchemy import update

from ledger.clock import MINUTE
from ledger.job import Job
from ledger.schema import attempts, deliveries
from tests.api.stage import Stage

BAD = "<script>alert('x')</script>"


async def page_of(browser: httpx.AsyncClient, job: Job | str, status: int = 200) -> str:
    answer = await browser.get(f"/jobs/{job if isinstance(job, str) else job.id}")
    assert answer.status_code == status, answer.text
    return answer.text


def words(page: str) -> str:
    """What a page says, without its tags."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", page)).split())


def copies(page: str) -> list[str]:
    return [html.unescape(copied) for copied in re.findall(r'data-copy="([^"]*)"', page)]


async def tried(stage: Stage, *outcomes: dict[str, Any]) -> str:
    """Attempts of the one delivery that is due, a minute apart; the last settles it as dead unless it arrived."""
    (parcel,) = await rows(stage.ledger, deliveries)
    for number, outcome in enumerate(outcomes, 1):
        fields = {"id": f"att_{number:026}", "delivery_id": parcel.id, "number": number, "trigger": "schedule"}
        at = {"started_at": stage.clock() + (number - 1) * MINUTE, "duration_ms": 120}
        await execute(stage.ledger, attempts.insert().values(**fields | at | outcome))
    last = outcomes[-1] if outcomes else {}
    ended: dict[str, Any] = {"status": "dead" if last.get("error_class") else "delivered"}
    ended |= {"attempt_count": len(outcomes), "due_at": None}
    ended |= {"finished_at": stage.clock() + len(outcomes) * MINUTE, "last_error": last.get("error")}
    await execute(stage.ledger, update(deliveries).where(deliveries.c.id == parcel.id).values(**ended))
    return str(parcel.id)


NO = {"status_code": 500, "error_class": "status", "error": "the subscriber answered HTTP 500", "response_excerpt": BAD}
YES = {"status_code": 204, "request_headers": {"webhook-id": "ntf_1"}, "response_headers": {"x-bad": BAD}}
