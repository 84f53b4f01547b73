"""Requests as commands to be copied: `curl`, quoted for a POSIX shell. Pure; no key of ours is in them."""

import shlex
from collections.abc import Mapping

from ledger.job import Job
from ledger.jsontext import compact

KEY = '"Authorization: Bearer $POSTBACK_API_KEY"'
MAX_SIZE = 16_384
"""How long a body may be that a command holds, in characters."""

_NOT_SENT = ("content-length", "host", "connection", "accept-encoding", "transfer-encoding")
"""Headers that curl writes itself."""


def submit(url: str, job: Job) -> str | None:
    """Asks Postback at `url` for the same job; None where that is too much for a command."""
    asked = {"provider": job.provider, "model": job.model, "input": job.input}
    asked |= {name: value for name in ("parameters", "metadata") if (value := getattr(job, name))}
    body = compact(asked)
    if len(body) > MAX_SIZE:
        return None
    return _command(f"{url}/v1/jobs", [KEY, shlex.quote("Content-Type: application/json")], body)


def send(url: str, headers: Mapping[str, str], body: str) -> str:
    """Sends a notification as an attempt did, with those of its headers that are known."""
    lines = [f"{name}: {value}" for name, value in headers.items() if name.lower() not in _NOT_SENT]
    return _command(url, [shlex.quote(line) for line in lines], body)


def _command(url: str, headers: list[str], body: str) -> str:
    # A body or an address that begins with @ or - is none of curl's business.
    parts = ["curl -sS -X POST", f"--url {shlex.quote(url)}", *(f"-H {line}" for line in headers)]
    return " \\\n  ".join([*parts, f"--data-raw {shlex.quote(body)}"])
