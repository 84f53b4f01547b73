"""`postback backup`: a consistent copy of the database in a file."""

import contextlib
import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO

import typer

from postback.cli import output, progress
from postback.cli.errors import CommandFailed, ExitCode
from postback.cli.options import Json
from postback.cli.session import session_of

if TYPE_CHECKING:
    from postback.settings import Settings

_NOT_IN_IT = """\
Not in it, and to be kept elsewhere:
- the secret keys ({keys}): without them no stored secret can be read, and no callback
  of a running job verifies
- the kept images ({artifacts})"""


def backup(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(help="The copy to write; it must not be there yet.")],
    as_json: Json = False,
) -> None:
    """Copy the database to a file, while it is in use.

    Through the running server; without one, from the SQLite file itself. On PostgreSQL use pg_dump.
    """
    settings = session_of(context).settings()
    from postback import backup as backups

    if backups.file_of(settings) is None:
        raise CommandFailed(f"on PostgreSQL, run this in place of it:\n  {_pg_dump(settings, file)}")
    if file.exists():
        raise CommandFailed(f"{file} is there already; choose another name, or move it away", ExitCode.USAGE)
    part = file.with_name(f".{file.name}.part")
    try:
        part.unlink(missing_ok=True)
        through = _write(settings, part)
        part.replace(file)
    except OSError as error:
        raise CommandFailed(f"cannot write to {file.parent}: {error.strerror}") from None
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    told = {"file": str(file), "bytes": file.stat().st_size, "source": through, "integrity": "ok"}
    if as_json:
        output.print_json(told)
    else:
        output.print_details(told)
    keys = "POSTBACK_SECRET_KEYS" if settings.secret_keys is not None else settings.secret_keys_file
    output.say(_NOT_IN_IT.format(keys=keys, artifacts=settings.artifacts))


def _write(settings: "Settings", part: Path) -> str:
    """Writes the copy, and says where it is from."""
    from postback import backup as backups
    from postback.setting_types import without_password

    database = backups.file_of(settings)
    assert database is not None
    try:
        _download(settings, part)
    except CommandFailed as failure:
        # Another server's database is not the one that lies here.
        if failure.exit_code != ExitCode.UNREACHABLE or "url" in settings.model_fields_set or not database.exists():
            raise
        part.unlink(missing_ok=True)
        output.say(f"No server answers at {settings.url}: copying the file itself.")
        try:
            with progress.bars() as track:
                track("copying")
                backups.copy_unserved(database, part)
        except backups.CannotBackUp as error:
            raise CommandFailed(str(error)) from None
        return str(database)
    return without_password(settings.url)


def _download(settings: "Settings", part: Path) -> None:
    import base64
    import hashlib

    from postback import backup as backups
    from postback.cli.client import Client

    digest = hashlib.sha256()
    with progress.bars(of_bytes=True) as track, Client(settings) as api:
        # The server first makes its copy: until then nobody knows how long it is.
        advance = track("copying")
        with api.download("backup") as response, _made(part) as copy:
            size = response.headers.get("content-length", "")
            for chunk in response.iter_bytes():
                digest.update(chunk)
                copy.write(chunk)
                advance(len(chunk), int(size) if size.isdecimal() else None)
            copy.flush()
            os.fsync(copy.fileno())
        arrived = f"sha-256=:{base64.b64encode(digest.digest()).decode()}:"
        if response.headers.get("repr-digest") != arrived:
            raise CommandFailed("the copy did not arrive whole; try again")
        track("checking")
        try:
            backups.check(part)
        except backups.CannotBackUp as error:
            raise CommandFailed(str(error)) from None


def _made(part: Path) -> BinaryIO:
    return os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _pg_dump(settings: "Settings", file: Path) -> str:
    """The command that copies it, without the password: pg_dump asks for that, or reads ~/.pgpass."""
    from sqlalchemy import make_url

    address = make_url(settings.database_url).set(drivername="postgresql").difference_update_query(["password"])
    shown = address._replace(password=None).render_as_string(hide_password=False)
    return shlex.join(["pg_dump", "--format=custom", f"--file={file}", shown])
