"""SIGTERM: what was begun is finished, the rest waits for the next start."""

from pathlib import Path

from e2e.eventually import eventually
from e2e.scene import opened
from e2e.server import unexpected
from e2e.wire import Stage

JOBS = 40
QUICK = 20


def test_stopped_and_started_again(stage: Stage, tmp_path: Path, database_url: str) -> None:
    with opened(stage, tmp_path, database_url, latency=0.1, POSTBACK_DASHSCOPE_SUBMIT_RATE=20) as house:
        hook = house.subscribe()
        models = ("flux-schnell", "flux-kontext-pro")
        jobs = [house.api.submit(models[number % 2], f"job {number}") for number in range(JOBS)]
        scripts = house.dashscope.script.submissions, house.acedata.script.submissions
        eventually(lambda: sum(map(len, scripts)) >= JOBS / 3)
        code, seconds = house.server.stop()
        assert code == 0
        assert seconds < QUICK
        sent = sum(map(len, scripts))
        house.server.start()
        for job in jobs:
            hook.notified(job["id"], "job.succeeded", 60)
            assert "job.unconfirmed" not in hook.events(job["id"])
        assert sent <= sum(map(len, scripts)) == JOBS
        assert {count for script in scripts for count in script.values()} == {1}
        assert {job["status"] for job in house.api.all("/jobs")} == {"succeeded"}
        assert unexpected(house.server.log) == []
