"""JSON as we write it: into columns, and into the bodies of notifications, which are signed.

Without spaces, text in any script as itself, and the same value always alike.
"""

from typing import Any

import msgspec

encoded = msgspec.json.Encoder().encode  # seven times as fast as the standard library's
"""A value as JSON in UTF-8."""


def compact(value: Any) -> str:
    """A value as JSON text."""
    return encoded(value).decode("utf-8")
