"""What PostgreSQL is told about the hot tables, and that it does what that is for."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from ledger import lanes, migration
from ledger.ledger import open_database
from ledger.schema import schema

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("migrated")]

LANES = 300
"""Several pages of them."""


def storage() -> Mapping[str, Mapping[str, str]]:
    """What the migration sets, by table."""
    config = Config()
    config.set_main_option("script_location", str(migration._SCRIPTS))
    script = ScriptDirectory.from_config(config).get_revision("0003")
    assert script is not None
    found: Mapping[str, Mapping[str, str]] = script.module.STORAGE
    return found


def options(connection: Connection) -> dict[str, dict[str, str]]:
    """What PostgreSQL has noted of each table that it was told something about."""
    query = "SELECT relname, reloptions FROM pg_class WHERE relkind = 'r' AND reloptions IS NOT NULL"
    query += " AND relnamespace = 'public'::regnamespace"
    return {
        row.relname: dict(option.split("=") for option in row.reloptions) for row in connection.execute(text(query))
    }


async def test_the_hot_tables_are_tidied_up_often(postgres_url: str) -> None:
    database = await open_database(postgres_url)
    try:
        found = await database.read(options)
    finally:
        await database.close()
    assert found == storage()
    left = {"subscribers", "audit", "api_keys", "sign_in_links"}
    assert found.keys() == schema.tables.keys() - left, "a new table is hot, or it is one of those that are not"


async def test_a_lane_changes_in_place(postgres_url: str) -> None:
    database = await open_database(postgres_url)

    def in_place(connection: Connection) -> tuple[int, int]:
        keys = [f"sub_{number}" for number in range(LANES)]
        lanes.open_lanes(connection, keys)
        held = lanes.hold(connection, keys)
        lanes.save(connection, [replace(lane, failures=1) for lane in held.values()])
        query = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_xact_user_tables WHERE relname = 'lanes'"
        changed, hot = connection.execute(text(query)).one()
        return changed, hot

    try:
        assert await database.write(in_place) == (LANES, LANES)
    finally:
        await database.close()
