"""What a server cannot start with: a sentence that says what to do, exit code 1, no trace."""

import os
import socket
import sqlite3
import subprocess
from pathlib import Path

import pytest
from databases import Postgres
from e2e.scene import SECRET_KEYS, opened
from e2e.server import environment, free_port, run
from e2e.wire import Stage


def refused(
    env: dict[str, str], *sentences: str, code: int = 1, command: str = "serve", never: str = "Traceback"
) -> None:
    """The program ends at once with that code, and all of these words on stderr."""
    ended = run(command, env={"POSTBACK_PORT": str(free_port()), **env})
    assert ended.returncode == code, ended.stderr
    assert "Traceback" not in ended.stderr
    assert never not in ended.stderr
    assert len(ended.stderr.splitlines()) <= 2
    for sentence in sentences:
        assert sentence in ended.stderr


def test_a_second_process_or_other_keys_for_the_same_file(stage: Stage, tmp_path: Path, sqlite_url: str) -> None:
    with opened(stage, tmp_path, sqlite_url, POSTBACK_SECRET_KEYS=SECRET_KEYS) as house:
        env = environment(tmp_path / "other", POSTBACK_DATABASE_URL=sqlite_url)
        refused(env, "is in use by another process", "use PostgreSQL")
        refused(env, "is in use by another process", command="migrate")
        taken = {**env, "POSTBACK_DATABASE_URL": f"sqlite:///{tmp_path}/b", "POSTBACK_PORT": str(house.server.port)}
        refused(taken, f"cannot listen on 127.0.0.1:{house.server.port}", "--port")
        assert house.api.submit("flux-schnell", "still at work")
        house.server.stop()
        refused({**house.server.env, "POSTBACK_SECRET_KEYS": "quite-another-secret-key"}, "Put that key back")
        house.server.env["POSTBACK_SECRET_KEYS"] = f"{SECRET_KEYS},a-new-key-goes-at-the-end"
        house.server.start()


def test_a_port_in_use(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused(environment(tmp_path / "home", POSTBACK_PORT=port), "Address already in use", "POSTBACK_PORT")
    assert not (tmp_path / "home").exists(), "nothing is half-made"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused(environment(tmp_path / "file" / "home"), "Not a directory", "Set POSTBACK_HOME to a folder you own")
    if os.geteuid() != 0:
        (tmp_path / "locked").mkdir(mode=0o500)
        refused(environment(tmp_path / "locked"), "Permission denied", "POSTBACK_HOME")


def test_a_file_that_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "postback.sqlite3").write_bytes(b"no database, but long enough to be one " * 100)
    refused(environment(tmp_path / "home"), "cannot be used", "Restore it from a backup")


def test_a_sqlite_file_from_a_newer_version(tmp_path: Path) -> None:
    env = environment(tmp_path / "home")
    assert run("migrate", env=env).returncode == 0
    with sqlite3.connect(tmp_path / "home" / "postback.sqlite3") as database:
        database.execute("UPDATE alembic_version SET version_num = '9999'")
    database.close()
    refused(env, "newer Postback (schema 9999", "Install that version")
    refused({**env, "POSTBACK_AUTO_MIGRATE": "0"}, "9999")


def test_a_postgres_database_from_a_newer_version(tmp_path: Path, postgres: Postgres, postgres_url: str) -> None:
    env = environment(tmp_path / "home", POSTBACK_DATABASE_URL=postgres_url, POSTBACK_SECRET_KEYS=SECRET_KEYS)
    assert run("migrate", env=env).returncode == 0
    newer = "UPDATE alembic_version SET version_num = '9999'"
    subprocess.run([postgres.programs / "psql", "--quiet", f"--command={newer}", postgres_url], check=True)
    refused(env, "newer Postback (schema 9999", "Install that version")


def test_a_database_that_is_not_migrated(tmp_path: Path) -> None:
    refused(environment(tmp_path / "home", POSTBACK_AUTO_MIGRATE=0), "run postback migrate")


def test_postgres_without_secret_keys(tmp_path: Path, postgres_url: str) -> None:
    env = environment(tmp_path / "home", POSTBACK_DATABASE_URL=postgres_url)
    refused(env, "POSTBACK_SECRET_KEYS must be set on PostgreSQL", "secrets.token_urlsafe")


def test_no_postgres_there(tmp_path: Path) -> None:
    url = f"postgresql://someone:a-password@127.0.0.1:{free_port()}/nothing"
    env = environment(tmp_path / "home", POSTBACK_DATABASE_URL=url, POSTBACK_SECRET_KEYS=SECRET_KEYS)
    refused(env, "cannot connect to PostgreSQL", "POSTBACK_DATABASE_URL", never="a-password")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POSTBACK_RETRY_SCHEDULE", "soon"),
        ("POSTBACK_DATABASE_URL", "mysql://x/y"),
    ],
)
def test_a_setting_that_makes_no_sense(tmp_path: Path, name: str, value: str) -> None:
    refused(environment(tmp_path / "home") | {name: value}, name, "must be", code=2)
