"""The versions of what Postback stands on."""

import platform
import sqlite3

from postback import __version__
from postback.doctor.finding import Finding, ok, warn
from postback.doctor.patient import Patient

SAFE_SQLITE = (3, 51, 3)
"""Before it, two connections that write or checkpoint at once could damage a WAL (sqlite.org, "The WAL-reset bug")."""


async def check(patient: Patient) -> list[Finding]:
    """Postback, Python and SQLite."""
    found = [ok(f"Postback {__version__} on Python {platform.python_version()}")]
    if patient.serves_postgres:
        return found
    if sqlite3.sqlite_version_info < SAFE_SQLITE:
        return [
            *found,
            warn(
                f"SQLite {sqlite3.sqlite_version} has the WAL-reset bug; Postback's single writer keeps clear of it",
                "let no other program write to the database file; a Python with SQLite 3.51.3 or newer is free of it",
            ),
        ]
    return [*found, ok(f"SQLite {sqlite3.sqlite_version}")]
