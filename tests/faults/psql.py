"""Looks into a PostgreSQL database from outside, as an operator does."""

import subprocess

from databases import Postgres


def ask(postgres: Postgres, url: str, statement: str) -> str:
    """What one statement answers, a line for each row. Raises `subprocess.CalledProcessError`."""
    command = [str(postgres.programs / "psql"), "--no-psqlrc", "--quiet", "--tuples-only", "--no-align"]
    done = subprocess.run([*command, f"--command={statement}", url], check=True, capture_output=True, text=True)
    return done.stdout.strip()
