"""What one job costs the database, its whole life long: rows, bytes, log, transactions, statements, connections.

`python -m tests.scaling.footprint --jobs 2000` plays so many jobs, half of them asked about and half called back, one
image and one subscriber each, on a PostgreSQL and on a SQLite of their own, and prints what docs/scaling.md reckons
with.
"""

import argparse
import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from databases import Postgres, postgres_server
from e2e.eventually import eventually
from e2e.server import Server

from tests.faults.psql import ask
from tests.scaling.member import Differs, Member
from tests.torture.judge import _unfinished
from tests.torture.scenarios import SECRET_KEYS
from tests.torture.world import World, opened

SETTINGS = {
    "POSTBACK_SECRET_KEYS": SECRET_KEYS,
    "POSTBACK_DASHSCOPE_SUBMIT_RATE": 200,
    "POSTBACK_ACEDATA_SUBMIT_RATE": 400,
    "POSTBACK_ACEDATA_POLL_AFTER": "1h",
}
TABLES = """
SELECT relname, n_live_tup, n_tup_upd, n_tup_hot_upd, pg_relation_size(relid), pg_indexes_size(relid),
  pg_total_relation_size(relid)
FROM pg_stat_user_tables WHERE n_tup_ins > 0 ORDER BY pg_total_relation_size(relid) DESC
"""
LOGGED = "SELECT pg_current_wal_lsn() - '0/0'"
COMMITTED = "SELECT xact_commit FROM pg_stat_database WHERE datname = current_database()"
CONNECTED = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'postback'"
WITHIN_SECONDS = 300


def played(world: World, jobs: int) -> None:
    """Submits so many jobs and waits until nothing moves any more."""
    world.hook = world.api("POST", "/subscribers", {"url": f"{world.listener.wire.url}/hook"}, expect=201)
    with world.load(jobs):
        eventually(lambda: len(world.accepted) == jobs, WITHIN_SECONDS, pause=0.2)
    eventually(lambda: not _unfinished(world), WITHIN_SECONDS, pause=1)


def on_postgres(folder: Path, postgres: Postgres, url: str, jobs: int) -> Iterator[str]:
    """Plays the jobs there and tells what it took, a line at a time."""
    counted = folder / "statements.json"
    with opened(folder, url, "footprint", latency=0) as world:
        world.settings |= SETTINGS
        member = Member(world.home, world.settings, "api,receiver,dispatcher,forwarder", world.port)
        member.differs = Differs(statements=str(counted))
        world.processes.append(member)
        member.start()
        ask(postgres, url, "SELECT pg_stat_force_next_flush()")
        before = int(ask(postgres, url, LOGGED)), int(ask(postgres, url, COMMITTED))
        played(world, jobs)
        connections = ask(postgres, url, CONNECTED)
        asked = sum(world.dashscope.script.queries.values())
        arrived = len(world.listener.received)
        assert member.stop()[0] == 0
    after = int(ask(postgres, url, LOGGED)), int(ask(postgres, url, COMMITTED))
    ask(postgres, url, "VACUUM ANALYZE")
    yield f"{jobs} jobs on PostgreSQL, {asked} queries at DashScope, {arrived} webhooks"
    yield f"log {(after[0] - before[0]) / jobs:.0f} bytes a job, {(after[1] - before[1]) / jobs:.2f} commits a job"
    said: Counter[str] = Counter(json.loads(counted.read_text()))
    yield f"{said.pop('statements') / jobs:.2f} statements a job (an executemany is one), {connections} connections"
    yield from (f"  {count / jobs:.3f} {statement}" for statement, count in said.most_common(12))
    yield "table rows updates in-place heap indexes total, bytes a job"
    for line in ask(postgres, url, TABLES).splitlines():
        name, *numbers = line.split("|")
        rows, updates, hot, *sizes = (int(number) / jobs for number in numbers)
        yield f"  {name} {rows:.2f} {updates:.2f} {hot:.2f} " + " ".join(f"{size:.0f}" for size in sizes)


def on_sqlite(folder: Path, jobs: int) -> Iterator[str]:
    """Plays the jobs there and tells how the file grew."""
    path = folder / "postback.sqlite3"
    with opened(folder, f"sqlite:///{path}", "footprint", latency=0) as world:
        world.settings |= SETTINGS
        server = Server(world.home, world.settings, (), world.port)
        world.processes.append(server)  # type: ignore[arg-type]
        server.start()
        played(world, jobs)
        assert server.stop()[0] == 0
    yield f"{jobs} jobs on SQLite: {path.stat().st_size / jobs:.0f} bytes a job"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=2_000)
    jobs: Any = parser.parse_args().jobs
    with tempfile.TemporaryDirectory(prefix="postback-footprint-") as place, postgres_server() as postgres:
        for kind in ("postgres", "sqlite"):
            (folder := Path(place) / kind).mkdir()
            if kind == "sqlite":
                print(*on_sqlite(folder, jobs), sep="\n", flush=True)
                continue
            with postgres.database() as url:
                print(*on_postgres(folder, postgres, url, jobs), sep="\n", flush=True)


if __name__ == "__main__":
    main()
