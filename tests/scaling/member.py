"""Processes of the program that differ in what is needed: shorter leases, a next version's migrations, a count."""

import json
import multiprocessing.util
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from e2e import forked
from e2e.forked import Forked
from e2e.server import PROGRAM, Server
from sqlalchemy import Connection, event
from sqlalchemy.engine import Engine

NEXT = "9999"
"""The schema of the next version."""


@dataclass(frozen=True, slots=True)
class Differs:
    """How: leases in milliseconds, the folder with the next version's migrations, and the file that at the end gets
    what was sent to the database; empty is as it is."""

    leases: str = ""
    migrations: str = ""
    statements: str = ""


AS_IT_IS = Differs()


class Member(Server):
    """One process. Its log goes on in the same file whichever version it is."""

    def __init__(
        self, home: Path, settings: Mapping[str, object], role: str, port: int, differs: Differs = AS_IT_IS
    ) -> None:
        super().__init__(home, settings, [role], port)
        self.role = role
        self.differs = differs

    def begin(self) -> None:
        self._process = _Different([PROGRAM, *self._arguments], self.env, self._log, self.differs)

    def migrate(self) -> None:
        """Runs `postback migrate` of the same version, with the same settings, to its end."""
        log = self._log.with_suffix(".migrate")
        code = _Different([PROGRAM, "migrate"], self.env, log, self.differs).wait(60)
        assert code == 0, log.read_text()


class _Different(Forked):
    def __init__(self, command: Sequence[str], environment: Mapping[str, str], log: Path, differs: Differs) -> None:
        given = (command, dict(environment), log, asdict(differs))
        self._process = forked._context.Process(target=_main, args=given, daemon=True)
        with forked._turn:
            self._process.start()
        assert self._process.pid is not None
        self.pid = self._process.pid


def _main(command: Sequence[str], environment: dict[str, str], log: Path, differs: dict[str, str]) -> None:
    from ledger import migration
    from tests.torture.clocks import shorten_leases

    if leases := differs["leases"]:
        shorten_leases(leases)
    if migrations := differs["migrations"]:
        migration.HEAD, migration._SCRIPTS = NEXT, Path(migrations)
    if statements := differs["statements"]:
        _count(Path(statements))
    forked._main(command, environment, log)


def _count(file: Path) -> None:
    """Counts statements, all and each by its beginning: those of one `executemany` are one."""
    counts: Counter[str] = Counter()

    def sent(connection: Connection, cursor: Any, statement: str, *_: Any) -> None:
        counts.update(("statements", " ".join(statement.split())[:100]))

    event.listen(Engine, "after_cursor_execute", sent)
    multiprocessing.util.Finalize(None, lambda: file.write_text(json.dumps(counts)), exitpriority=1)
