"""`postback migrate`: bring the database to this version, or move it to another one."""

from collections.abc import Callable
from typing import Annotated

import typer

from postback.cli import output, progress
from postback.cli.options import Json
from postback.cli.progress import Advance, Track
from postback.cli.serve import plain_errors
from postback.cli.session import session_of

_NOT_IN_IT = """\
Not in it, and to be given to whatever runs on the new database:
- POSTBACK_DATABASE_URL: the new one
- POSTBACK_SECRET_KEYS: the old ones ({keys}); without them it refuses to start
- the kept images ({artifacts}), or a bucket with them in POSTBACK_ARTIFACTS
The old database is as it was. Do not start on it again once the new one has been used."""


def migrate(
    context: typer.Context,
    database_url: Annotated[str | None, typer.Option(help="Which database (POSTBACK_DATABASE_URL).")] = None,
    source: Annotated[
        str | None, typer.Option("--from", metavar="URL", help="Move all of this database; nothing may run on it.")
    ] = None,
    target: Annotated[
        str | None, typer.Option("--to", metavar="URL", help="Where to: a database with nothing in it.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Bring the database to this version, or move it to another one.

    `postback serve` brings it to its version by itself, unless POSTBACK_AUTO_MIGRATE=0 leaves it to you.
    """
    settings = session_of(context).settings(database_url=database_url)
    if (source is None) != (target is None):
        raise typer.BadParameter("a move needs both --from URL and --to URL")
    from postback import databases

    if source is None or target is None:
        with plain_errors(), progress.bars() as track:
            track("bringing the database to this version")
            databases.upgrade(settings.database_url)
        output.say("The database is up to date.")
        return
    with plain_errors(), progress.bars() as track:
        moved = databases.move(source, target, _told(track))
    told = [{"table": one.table, "rows": one.rows, "sha256": one.digest} for one in moved]
    if as_json:
        output.print_json(told)
    else:
        output.print_table({"TABLE": "table", "ROWS": "rows", "SHA-256": "sha256"}, told)
    keys = "POSTBACK_SECRET_KEYS" if settings.secret_keys is not None else settings.secret_keys_file
    output.say(
        f"All of it is there, with the same content.\n{_NOT_IN_IT}".format(keys=keys, artifacts=settings.artifacts)
    )


def _told(track: Track) -> Callable[[str, int, int], None]:
    """A bar for each table."""
    tables: dict[str, Advance] = {}
    rows: dict[str, int] = {}

    def on_progress(table: str, done: int, total: int) -> None:
        if table not in tables:
            tables[table] = track(table)
        tables[table](done - rows.get(table, 0), total)
        rows[table] = done

    return on_progress
