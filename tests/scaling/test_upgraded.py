"""A rolling upgrade: the database gets a migration while all processes serve, then each gives way to its successor."""

import shutil
from pathlib import Path

import pytest
from databases import Postgres
from e2e.eventually import eventually

from ledger import migration
from tests.scaling.crew import at_rest, crew, start
from tests.scaling.member import NEXT, Differs, Member
from tests.torture.judge import Row
from tests.torture.world import World

JOBS = 72

ADDITIVE = f'''
"""What a next version might bring: columns, an index, rows rewritten. Nothing that this one knows goes away."""

import sqlalchemy as sa
from alembic import op

revision = "{NEXT}"
down_revision = "{migration.HEAD}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("jobs", "deliveries", "attempts", "subscribers"):
        op.add_column(table, sa.Column("note", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.execute("UPDATE deliveries SET note = type")
    op.create_index("jobs_by_note", "jobs", ["note", "id"])
'''


@pytest.fixture
def successor(tmp_path: Path) -> Differs:
    """The next version of the program: this one and one more migration."""
    folder = tmp_path / "migrations"
    shutil.copytree(migration._SCRIPTS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / f"{NEXT}_notes.py").write_text(ADDITIVE)
    return Differs(migrations=str(folder))


def test_processes_give_way_one_by_one(
    tmp_path: Path, successor: Differs, postgres: Postgres, postgres_url: str
) -> None:
    with crew(tmp_path, postgres_url, "upgrade", POSTBACK_AUTO_MIGRATE=0) as world:
        world.processes[0].migrate()
        start(world)
        with world.load(JOBS):
            _told_of(world, 6)
            _succeeding(world, world.processes[0], successor).migrate()
            _told_of(world, 6)  # by the old program, from the new tables
            for place, old in enumerate(world.processes):
                assert old.stop()[0] == 0
                world.processes[place] = _succeeding(world, old, successor)
                world.processes[place].start()
            eventually(lambda: len(world.accepted) == JOBS, 60)
        row = at_rest(world, postgres, Row("upgrade", "postgres"))
        assert row.broken == []
        # Each was stopped in order: nothing was cut off, so nothing came twice.
        assert (row.lost, row.unexpected, row.paid_twice, row.unconfirmed, row.duplicated) == (0, 0, 0, 0, 0)
        late = Member(tmp_path / "late", world.settings, "api", 0)
        with pytest.raises(RuntimeError, match=rf"the database has schema {NEXT}, this version needs {migration.HEAD}"):
            late.start()


def _succeeding(world: World, old: Member, successor: Differs) -> Member:
    """The next version in the place of a process."""
    return Member(world.home, world.settings, old.role, old.port, successor)


def _told_of(world: World, more: int) -> None:
    told = len(world.listener.received)
    eventually(lambda: len(world.listener.received) >= told + more, 30)
