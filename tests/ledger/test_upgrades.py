"""An installation of an earlier version, with everything it holds, goes on under this one."""

import pytest
from alembic import command
from alembic.config import Config
from builders import LEASE, FakeClock
from sqlalchemy import Connection, text

from ledger import lanes, migration, parcels, subscribers
from ledger.lane import Lane
from ledger.ledger import Ledger, open_database

pytestmark = pytest.mark.anyio

BEFORE_LANES = """
INSERT INTO subscribers (id, url, events, metadata, header_names, sealed_secret, old_secrets, max_in_flight, enabled,
    created_at, deleted_at) VALUES
  ('sub_1', 'https://a.example', '["*"]', '{}', '[]', 'sealed', '[]', 10, true, 1, NULL),
  ('sub_2', 'https://b.example', '["*"]', '{}', '[]', '', '[]', 10, false, 1, 2);
INSERT INTO notifications (id, job_id, type, sequence, created_at, body) VALUES
  ('ntf_1', 'job_1', 'job.succeeded', 1, 1, 'body');
INSERT INTO deliveries (id, notification_id, subscriber_id, job_id, type, status, attempt_count, attempts_before,
    trigger, due_at, lease, created_at) VALUES
  ('dlv_1', 'ntf_1', 'sub_1', 'job_1', 'job.succeeded', 'pending', 0, 0, 'schedule', 1, 0, 1),
  ('dlv_2', 'ntf_1', 'sub_2', 'job_1', 'job.succeeded', 'skipped', 0, 0, 'schedule', NULL, 0, 1);
"""


def to(connection: Connection, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(migration._SCRIPTS))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


async def test_what_was_owed_before_there_were_lanes_is_sent(database_url: str, clock: FakeClock) -> None:
    database = await open_database(database_url)

    def older(connection: Connection) -> None:
        to(connection, "0001")
        for statement in filter(str.strip, BEFORE_LANES.split(";")):
            connection.execute(text(statement))

    await database.write(older)
    assert await database.version() == ("0001", migration.HEAD)
    await database.migrate()
    ledger = Ledger(database, clock=clock)
    try:
        assert await ledger.read(lanes.get, ["sub_1", "sub_2"]) == {"sub_1": Lane("sub_1")}
        (parcel,) = (await ledger.write(parcels.claim, limit=5, lease=LEASE)).rows
        assert (parcel.id, parcel.payload, parcel.schedule, parcel.job_id) == ("dlv_1", "full", None, "job_1")
        row = await ledger.read(subscribers.get, "sub_1")
        assert subscribers.document(row)["filter"] is None
    finally:
        await ledger.close()
