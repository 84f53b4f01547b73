"""The database: there, whole, of this version, and not held up by a reader."""

from postback.doctor.finding import Finding, fail, ok, warn
from postback.doctor.patient import Patient

LARGE_WAL = 64 * 1024 * 1024
_RESTORE = "docs/operating.md shows how a backup is restored"


async def check(patient: Patient) -> list[Finding]:
    """What can be known without disturbing the process that serves it."""
    if patient.refusal is not None:
        return [fail(patient.refusal, _RESTORE)]
    if patient.held:
        return [*_held(patient), *_wal(patient)]
    if patient.database is None:
        return [ok(f"there is none at {patient.file} yet: postback serve makes it")]
    found, needed = await patient.database.version()
    state = "is reachable" if patient.serves_postgres else f"{patient.file} is whole"
    findings = [ok(f"the database {state}")]
    if found != needed:
        findings.append(fail(f"it has schema {found or 'none'}, this version needs {needed}", "run postback migrate"))
    else:
        findings.append(ok(f"it has schema {found}, as this version needs"))
    if patient.answers and not patient.serves_postgres:
        findings.append(
            warn(
                f"a server answers at {patient.server}, but nobody holds {patient.file}",
                "it works on another database: is POSTBACK_HOME the same here as there?",
            )
        )
    return [*findings, *_wal(patient)]


def _held(patient: Patient) -> list[Finding]:
    if patient.answers:
        return [ok(f"{patient.file} is served by the process at {patient.server}, which can write to it")]
    return [
        fail(
            f"a process holds {patient.file}, but none answers at {patient.server} that it can write",
            "is POSTBACK_URL right? If a Postback hangs, stop it: whatever it had begun goes on at the next start",
        )
    ]


def _wal(patient: Patient) -> list[Finding]:
    if patient.file is None:
        return []
    wal = patient.file.with_name(patient.file.name + "-wal")
    size = wal.stat().st_size if wal.exists() else 0
    if size < LARGE_WAL:
        return []
    return [
        warn(
            f"the write-ahead log has grown to {size // 1_000_000} MB",
            "a program that reads the file keeps it from being used again: end that program",
        )
    ]
