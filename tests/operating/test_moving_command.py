"""`postback migrate --from … --to …`, from SQLite to PostgreSQL as docs/scaling.md shows it, with real processes."""

import json
from pathlib import Path

from e2e.api import Api
from e2e.scene import SECRET_KEYS, opened
from e2e.server import Server, run, unexpected
from e2e.wire import Stage


def test_an_installation_moves_to_postgres_and_goes_on(
    wires: Stage, tmp_path: Path, sqlite_url: str, postgres_url: str
) -> None:
    with opened(wires, tmp_path, sqlite_url, POSTBACK_SECRET_KEYS=SECRET_KEYS) as house:
        hook = house.subscribe()
        before = [house.api.submit("flux-schnell", f"before {number}")["id"] for number in range(3)]
        for job_id in before:
            hook.notified(job_id, "job.succeeded")
        moving = ("migrate", "--from", sqlite_url, "--to", postgres_url)
        held = run(*moving, env=house.server.env)
        assert held.returncode == 1
        assert "in use by another process" in held.stderr
        assert house.server.stop()[0] == 0

        moved = run(*moving, "--json", env=house.server.env)
        assert moved.returncode == 0, moved.stderr
        rows = {one["table"]: one["rows"] for one in json.loads(moved.stdout)}
        assert (rows["jobs"], rows["subscribers"]) == (3, 1)
        assert "POSTBACK_SECRET_KEYS" in moved.stderr
        again = run(*moving, env=house.server.env)
        assert again.returncode == 1
        assert "is not empty" in again.stderr

        settings = {**house.server.env, "POSTBACK_DATABASE_URL": postgres_url}
        there = Server(tmp_path / "home", settings, port=house.server.port)
        try:
            there.start()
            with (api := Api(there.url, house.server.key)).http:
                assert {job["id"] for job in api.all("/jobs")} == set(before)
                # The subscriber's secret still opens, so what is told from now on verifies.
                after = api.submit("flux-schnell", "after")["id"]
                hook.notified(after, "job.succeeded")
            assert unexpected(there.log) == []
        finally:
            there.kill()


def test_half_a_move_is_no_move(tmp_path: Path) -> None:
    env = Server(tmp_path / "home", {}).env
    told = run("migrate", "--from", f"sqlite:///{tmp_path / 'a'}", env=env)
    assert (told.returncode, "both --from URL and --to URL" in told.stderr) == (2, True)
    nothing = run("migrate", "--from", f"sqlite:///{tmp_path / 'a'}", "--to", f"sqlite:///{tmp_path / 'b'}", env=env)
    assert nothing.returncode == 1
    assert "no Postback database to move from" in nothing.stderr
    assert list(tmp_path.glob("a*")) == [], "and none is made"
    same = run("migrate", "--from", f"sqlite:///{tmp_path / 'a'}", "--to", f"sqlite:///{tmp_path / 'a'}", env=env)
    assert (same.returncode, "one database, not two" in same.stderr) == (1, True)
