"""How an installation is recognised from outside: by what may be written down of its newest secret key."""

from ledger.keys import SecretKeys

HEADER = "postback-installation"
"""Of the answer of `/healthz`. A callback's 404 has none: it says the same as any address where nothing is."""


def mark(keys: SecretKeys) -> dict[str, str]:
    """The header that says which installation answers."""
    return {HEADER: keys.fingerprints[-1]}
