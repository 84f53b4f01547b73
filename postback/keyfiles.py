"""Keys that are made once and kept in POSTBACK_HOME, readable by their owner only."""

import os
import secrets
from pathlib import Path

from ledger.errors import CannotOpen
from ledger.keys import SecretKeys
from postback.settings import Settings


def secret_keys(settings: Settings) -> SecretKeys:
    """The secret keys: as set, or on SQLite made once. Raises `CannotOpen` and `BadKeys`."""
    if settings.secret_keys is not None:
        return SecretKeys([key.get_secret_value() for key in settings.secret_keys])
    if not settings.database_url.startswith("sqlite"):
        raise CannotOpen(
            "POSTBACK_SECRET_KEYS must be set on PostgreSQL, the same for every process. "
            "Make one with: python3 -c 'import secrets; print(secrets.token_urlsafe(32))'"
        )
    return SecretKeys(_once(settings.secret_keys_file).split(","))


def api_key(settings: Settings) -> str:
    """The bearer key of the management API: as set, or made once. Raises `CannotOpen`."""
    if settings.api_key is not None:
        return settings.api_key.get_secret_value()
    return _once(settings.api_key_file)


def _once(path: Path) -> str:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return _kept(path)
        key = secrets.token_urlsafe(32)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(key + "\n")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise CannotOpen(
            f"cannot keep a key in {path}: {error.strerror}. Set POSTBACK_HOME to a folder you own"
        ) from None
    return key


def _kept(path: Path) -> str:
    try:
        key = path.read_text(encoding="utf-8").strip()
    except UnicodeDecodeError:
        raise CannotOpen(f"{path} is not text; put the key back, or delete the file to have one made") from None
    if not key:
        raise CannotOpen(f"{path} is empty; put the key back, or delete the file to have one made")
    return key
