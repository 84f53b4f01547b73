"""`postback backup FILE`, and a restore as docs/operating.md shows it, with real processes."""

import os
import stat
from pathlib import Path

from e2e.scene import opened
from e2e.server import environment, run, unexpected
from e2e.wire import Stage

SECRET = "hunter2-canary"


def test_backup_and_restore(wires: Stage, tmp_path: Path, sqlite_url: str) -> None:
    with opened(wires, tmp_path, sqlite_url) as house:
        hook = house.subscribe()
        before = [house.api.submit("flux-schnell", f"before {number}")["id"] for number in range(5)]
        for job_id in before:
            hook.notified(job_id, "job.succeeded")
        copy = tmp_path / "copies" / "monday.sqlite3"
        copy.parent.mkdir()
        told = run("backup", str(copy), env=house.server.env)
        assert told.returncode == 0, told.stderr
        assert "integrity" in told.stdout
        assert "secret.keys" in told.stderr
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
        assert [one.name for one in copy.parent.iterdir()] == [copy.name]
        after = house.api.submit("flux-schnell", "after")["id"]
        hook.notified(after, "job.succeeded")

        assert house.server.stop()[0] == 0
        database = tmp_path / "postback.sqlite3"
        aside = tmp_path / "aside"
        aside.mkdir()
        for old in tmp_path.glob("postback.sqlite3*"):
            old.rename(aside / old.name)
        database.write_bytes(copy.read_bytes())
        house.server.start()
        assert {job["id"] for job in house.api.all("/jobs")} == set(before)
        # Its secret still opens, so what is told from now on verifies.
        again = house.api.submit("flux-schnell", "again")["id"]
        hook.notified(again, "job.succeeded")
        assert unexpected(house.server.log) == []

        refused = run("backup", str(copy), env=house.server.env)
        assert (refused.returncode, "is there already" in refused.stderr) == (2, True)
        house.server.kill()
        offline = run("backup", str(copy.with_name("offline")), env=house.server.env)
        assert offline.returncode == 0, offline.stderr
        assert "copying the file itself" in offline.stderr
        elsewhere = run("--url", house.server.url, "backup", str(copy.with_name("other")), env=house.server.env)
        assert elsewhere.returncode == 5, "another server's database is not the one that lies here"
        house.server.start()
        lost = {**house.server.env, "POSTBACK_PORT": "1"}
        held = run("backup", str(copy.with_name("held")), env=lost)
        assert held.returncode == 1
        assert "in use by another process. Set POSTBACK_URL" in held.stderr
        assert sorted(one.name for one in copy.parent.iterdir()) == ["monday.sqlite3", "offline"]


def test_postgres_is_told_what_to_run(tmp_path: Path) -> None:
    url = f"postgresql://me:{SECRET}@db.example/postback?password={SECRET}&sslmode=require"
    told = run("backup", str(tmp_path / "my copy"), env=environment(tmp_path / "home", POSTBACK_DATABASE_URL=url))
    assert told.returncode == 1
    assert "pg_dump --format=custom" in told.stderr
    assert "postgresql://me@db.example/postback?sslmode=require" in told.stderr
    assert SECRET not in told.stdout + told.stderr


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    told = run("backup", str(tmp_path / "none" / "copy"), env=environment(tmp_path / "home", POSTBACK_PORT="1"))
    assert told.returncode == 5
    assert "Traceback" not in told.stderr
    assert not os.listdir(tmp_path)
