"""`postback doctor`: looks at everything that an installation stands on, and says what to do."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from ledger.clock import Clock, system_now
from ledger.errors import CannotOpen
from ledger.filelock import FileLock
from ledger.ledger import open_database
from postback import backup
from postback.doctor import (
    accounts,
    clock,
    database,
    disk,
    keys,
    limits,
    networks,
    public_url,
    server,
    versions,
)
from postback.doctor.finding import Finding, fail
from postback.doctor.patient import Patient
from postback.settings import Settings

Check = Callable[[Patient], Awaitable[list[Finding]]]

CHECKS: dict[str, Check] = {
    "versions": versions.check,
    "server": server.check,
    "database": database.check,
    "keys": keys.check,
    "disk": disk.check,
    "limits": limits.check,
    "public url": public_url.check,
    "networks": networks.check,
    "providers": accounts.check,
    "clock": clock.check,
}
"""In order: whether the server answers tells how to look at the database, and the clock is compared with all others."""

WITHIN_SECONDS = 30.0


async def examine(settings: Settings, now: Clock = system_now) -> AsyncIterator[tuple[str, Finding]]:
    """The findings as they come, each with the name of its check. Whatever is broken, it goes on with the next."""
    async with _patient(settings, now) as patient:
        for name, check in CHECKS.items():
            for finding in await _guarded(check, patient):
                yield name, finding


async def _guarded(check: Check, patient: Patient) -> list[Finding]:
    try:
        async with asyncio.timeout(WITHIN_SECONDS):
            return await check(patient)
    except TimeoutError:
        return [fail(f"it took more than {WITHIN_SECONDS:.0f} s", "try again; if it stays so, something hangs")]
    except OSError as error:
        return [fail(f"{error.filename or 'a file'} cannot be read: {error.strerror}", "run it as the server's user")]
    except Exception as error:
        # Its text may hold anything, a password in a URL too.
        return [fail(f"this could not be looked at ({type(error).__name__})", "see the log of the server")]


@asynccontextmanager
async def _patient(settings: Settings, now: Clock) -> AsyncIterator[Patient]:
    patient = Patient(settings, now, backup.file_of(settings))
    try:
        await _open(patient)
        yield patient
    finally:
        if patient.database is not None:
            await patient.database.close()


async def _open(patient: Patient) -> None:
    """Opens the database, but for a SQLite file that is not there, or that another process serves."""
    if patient.file is not None:
        if not patient.file.exists():
            return
        try:
            lock = FileLock.of_database(patient.file)
        except CannotOpen as refused:
            patient.refusal = str(refused)
            return
        except OSError as error:
            patient.refusal = f"{patient.file} cannot be locked: {error.strerror}"
            return
        if lock is None:
            patient.held = True
            return
        lock.release()
    try:
        async with asyncio.timeout(WITHIN_SECONDS):
            patient.database = await open_database(patient.settings.database_url)
    except CannotOpen as refused:
        patient.refusal = str(refused)
    except Exception as error:
        patient.refusal = f"the database cannot be opened ({type(error).__name__})"
