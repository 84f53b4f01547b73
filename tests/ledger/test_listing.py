"""The list of jobs costs what is on its page, however much there is."""

from typing import Any

import pytest
from sqlalchemy import Connection

from ledger import listing

from .test_plans import plans

pytestmark = pytest.mark.anyio


async def test_only_the_deliveries_of_the_jobs_are_looked_at(sqlite_url: str) -> None:
    def look(connection: Connection, moment: Any) -> None:
        listing.missing(connection, ["job_1", "job_2"])

    plan = await plans(sqlite_url, (look, (), {}))
    assert "deliveries_by_job" in plan
    assert "SCAN deliveries" not in plan
