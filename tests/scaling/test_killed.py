"""Two receivers, two dispatchers, two forwarders and an api: whichever is killed, and whenever, the others go on."""

import time
from pathlib import Path

from databases import Postgres
from e2e.eventually import eventually

from tests.scaling.crew import at_rest, crew, start
from tests.scaling.member import Differs
from tests.torture.judge import Row

JOBS = 56
SEED = "any of them, at any time"
LEASES = Differs(leases="1500")
"""What a killed process held is due again that soon."""


def test_any_process_may_be_killed_at_any_time(tmp_path: Path, postgres: Postgres, postgres_url: str) -> None:
    with crew(tmp_path, postgres_url, SEED, LEASES) as world:
        start(world)
        victims = world.chance.sample(world.processes, len(world.processes))
        with world.load(JOBS):
            eventually(lambda: len(world.listener.received) > 2, 30)
            for victim in victims:
                time.sleep(world.chance.uniform(0.2, 0.9))
                victim.kill()
                world.blow("killed")
                # The others have it to themselves for a while; it comes back in its own time.
                time.sleep(world.chance.uniform(0, 0.4))
                victim.begin()
            eventually(lambda: len(world.accepted) == JOBS, 60)
        for process in world.processes:
            process.ready()
        row = at_rest(world, postgres, Row("any killed", "postgres"))
        assert row.broken == []
        assert (row.lost, row.unexpected, row.paid_twice) == (0, 0, 0)
        assert row.blows == len(world.processes)
        done = [job for job in world.api.all("/jobs") if job["status"] == "succeeded"]
        assert len(done) >= JOBS - 2 * row.blows, "few were being sent when their dispatcher was killed"
