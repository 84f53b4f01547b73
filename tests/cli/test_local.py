"""The commands that run something here: what they hand over, and how it fails."""

import socket
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ledger.errors import CannotOpen
from ledger.keys import BadKeys
from postback.house import ROLES
from postback.settings import Settings

from .conftest import Cli

Handed = list[tuple[Any, ...]]


@pytest.fixture
def handed(monkeypatch: pytest.MonkeyPatch) -> Handed:
    """What `serve`, `migrate` and `demo` were called with."""
    calls: Handed = []

    def record(*arguments: Any) -> None:
        calls.append(arguments)

    monkeypatch.setitem(sys.modules, "postback.serve", SimpleNamespace(run=record))
    monkeypatch.setattr("postback.databases.upgrade", record)
    return calls


def test_serve(cli: Cli, handed: Handed, home: Path) -> None:
    assert cli("serve").code == 0
    settings, roles = handed[0]
    assert isinstance(settings, Settings)
    assert (settings.home, settings.port, roles) == (home, 8414, ROLES)


def test_serve_with_flags(cli: Cli, handed: Handed) -> None:
    line = "serve --host ::1 --port 0 --role api,receiver --role forwarder --public-url https://hooks.example.com"
    assert cli(*line.split(), "--database-url", "postgresql://u:p@db/x").code == 0
    settings, roles = handed[0]
    assert (settings.host, settings.port, settings.public_url) == ("::1", 0, "https://hooks.example.com")
    assert settings.database_url == "postgresql://u:p@db/x"
    assert roles == {"api", "receiver", "forwarder"}


def test_migrate(cli: Cli, handed: Handed) -> None:
    shown = cli("migrate", "--database-url", "sqlite:////srv/x")
    assert (shown.code, shown.err) == (0, "The database is up to date.\n")
    assert handed == [("sqlite:////srv/x",)]


@pytest.mark.parametrize("command", ["serve", "migrate"])
@pytest.mark.parametrize("error", [CannotOpen("another process holds it"), BadKeys("another process holds it")])
def test_what_the_ledger_says_is_for_people(
    cli: Cli, monkeypatch: pytest.MonkeyPatch, command: str, error: Exception
) -> None:
    def refuse(*_: object) -> None:
        raise error

    monkeypatch.setitem(sys.modules, "postback.serve", SimpleNamespace(run=refuse))
    monkeypatch.setattr("postback.databases.upgrade", refuse)
    shown = cli(command)
    assert (shown.code, shown.err) == (1, "Error: another process holds it\n")


@pytest.mark.parametrize("code", [0, 1])
def test_demo(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: int) -> None:
    asked = []

    def run(once: bool, home: Path | None) -> int:
        asked.append((once, home))
        return code

    monkeypatch.setitem(sys.modules, "postback.demo", SimpleNamespace(run=run))
    assert cli("demo").code == code
    assert cli("demo", "--once").code == code
    assert cli("demo", "--home", str(tmp_path)).code == code
    assert cli("--home", str(tmp_path), "demo").code == code
    assert asked == [(False, None), (True, None), (False, tmp_path), (False, tmp_path)]


def test_a_simulator_on_a_port_in_use(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        shown = cli("simulator", "--port", str(port))
    assert shown.code == 1
    assert shown.err.startswith(f"Error: cannot listen on 127.0.0.1:{port}: Address already in use")
