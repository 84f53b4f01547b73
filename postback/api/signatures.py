"""Making what signs: a secret, and for those that chose ed25519 a pair of keys of which one is no secret."""

import contextlib
from collections.abc import Mapping
from secrets import token_bytes
from typing import Any

from sqlalchemy import Row

from ledger.keys import BadKeys, SecretKeys
from receiver import signing
from receiver.schemes import PRIVATE


def new_secret() -> str:
    """A fresh `whsec_…`."""
    return signing.new_secret(token_bytes)


def new_key_pair(keys: SecretKeys) -> dict[str, Any]:
    """The columns of a subscriber that signs with ed25519 from now on."""
    private = signing.new_private_key(token_bytes)
    return {"sealed_private_key": keys.encrypt(private), "public_key": signing.public_key(private)}


def signed(row: Row[Any], signature: str, keys: SecretKeys) -> dict[str, Any]:
    """What changes for a subscriber that is to be signed so: `v1a` gets a key pair unless it has one, `v1` has none."""
    if signature == "v1a":
        return new_key_pair(keys) if row.sealed_private_key is None else {}
    old = [one for one in row.old_secrets if not _is_private(one, keys)]
    return {"sealed_private_key": None, "public_key": None, "old_secrets": old}


def _is_private(old: Mapping[str, Any], keys: SecretKeys) -> bool:
    with contextlib.suppress(BadKeys):
        return keys.decrypt(old["sealed"]).startswith(PRIVATE)
    return False
