"""Brings a database to this version's schema, with Alembic. Runs at every start; nothing happens when it is current."""

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from ledger.errors import CannotOpen

HEAD = "0005"
"""The newest revision in `migrations/versions`; a test holds it there."""

_SCRIPTS = Path(__file__).with_name("migrations")
_ADVISORY_LOCK = 8414


def version(connection: Connection) -> tuple[str | None, str]:
    """The database's revision, None where it has none, and the one this version of Postback needs."""
    if not inspect(connection).has_table("alembic_version"):
        return None, HEAD
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar(), HEAD


def upgrade(connection: Connection) -> None:
    """Migrates inside the caller's transaction: all of it or nothing. Raises `CannotOpen` for a newer database."""
    if connection.dialect.name == "postgresql":
        # One process migrates, the others wait for it and find nothing left to do.
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _ADVISORY_LOCK})
    current, _ = version(connection)
    if current == HEAD:
        return

    # Alembic is imported only when there is something to do: it costs a fifth of a start.
    from alembic import command
    from alembic.config import Config
    from alembic.script import ScriptDirectory

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))  # it interpolates
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if current is not None and current not in known:
        raise CannotOpen(
            f"the database was written by a newer Postback (schema {current}, this one knows up to {HEAD}). "
            "Install that version, or restore a backup from before the upgrade"
        )
    command.upgrade(config, "head")
