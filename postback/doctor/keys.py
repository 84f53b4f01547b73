"""The keys: there, those of this database, and for their owner alone."""

import stat
from pathlib import Path

from ledger.errors import LedgerError
from ledger.facts import last_key
from ledger.keys import BadKeys, SecretKeys
from postback import keyfiles
from postback.doctor.finding import Finding, fail, ok, warn
from postback.doctor.patient import Patient


async def check(patient: Patient) -> list[Finding]:
    """The secret keys and the API key. None is shown, and none is made."""
    return [*await _secret_keys(patient), *_api_key(patient)]


def kept(patient: Patient) -> SecretKeys | None:
    """The secret keys; None where they are not made yet, or are lost. Raises `LedgerError` and `BadKeys`."""
    settings = patient.settings
    if settings.secret_keys is None and not patient.serves_postgres and not settings.secret_keys_file.exists():
        return None
    return keyfiles.secret_keys(settings)


async def _secret_keys(patient: Patient) -> list[Finding]:
    settings, path = patient.settings, patient.settings.secret_keys_file
    try:
        keys = kept(patient)
    except (LedgerError, BadKeys) as error:
        return [fail(str(error), "set POSTBACK_SECRET_KEYS, or put the file back")]
    if keys is None:
        if patient.file is not None and patient.file.exists():
            return [
                fail(
                    f"the database is there, but its secret keys are not: {path} is missing",
                    "put the file back; with new keys no stored secret opens and no running job's callback verifies",
                )
            ]
        return [ok("postback serve makes secret keys at its first start")]
    count = len(keys.fingerprints)
    counted = f"{count} secret {'key' if count == 1 else 'keys'}"
    known = await patient.database.read(last_key) if patient.database is not None else None
    findings = _for_owner_alone(path) if settings.secret_keys is None else []
    if known is None:
        findings.append(ok(counted))
    elif known in keys.fingerprints:
        findings.append(ok(f"{counted}, the database's own {'among them' if count > 1 else 'too'}"))
    else:
        findings.append(
            fail(
                "the secret keys lack the one that this database was last used with",
                "put that key back, oldest first; a new one goes at the end",
            )
        )
    return findings


def _api_key(patient: Patient) -> list[Finding]:
    kept = patient.settings.api_key_file
    if patient.settings.api_key is not None:
        return [ok("POSTBACK_API_KEY is set")]
    if not kept.exists():
        return [ok("postback serve makes an API key at its first start")]
    return _for_owner_alone(kept) or [ok(f"the API key is in {kept}")]


def _for_owner_alone(path: Path) -> list[Finding]:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return [warn(f"others on this machine may read {path} (mode {mode:04o})", f"chmod 600 {path}")]
    return []
