"""A PostgreSQL of one scenario's own, that can be stopped in the middle of whatever it does."""

import os
import signal
import subprocess
import time
from dataclasses import dataclass

from databases import Postgres


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """A server that was started by `databases.postgres_server`, which also removes it."""

    postgres: Postgres

    def stop_at_once(self) -> None:
        """Ends it without a word to its clients (PostgreSQL's immediate shutdown), and waits until it is gone."""
        pid = int((self.postgres.folder / "postmaster.pid").read_text().splitlines()[0])
        os.kill(pid, signal.SIGQUIT)
        deadline = time.monotonic() + 20
        while (self.postgres.folder / "postmaster.pid").exists() or _alive(pid):
            if time.monotonic() > deadline:
                raise TimeoutError("PostgreSQL does not stop")
            time.sleep(0.02)

    def start(self) -> None:
        """Starts it again and waits until it takes connections. Raises `subprocess.CalledProcessError`."""
        folder = self.postgres.folder
        owner = folder.stat()
        command = [self.postgres.programs / "pg_ctl", "--silent", "--wait", "--timeout=60"]
        as_owner = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.getuid() == 0 else {}
        subprocess.run(
            [*command, f"--pgdata={folder}", f"--log={folder}/log", "start"],
            check=True,
            cwd=folder,
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            **as_owner,
        )


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
