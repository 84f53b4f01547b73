from tests.api.conftest import both, stage
from tests.cli.conftest import cli, home, served, stub
from tests.ledger.conftest import clock, ledger, pair

__all__ = ["both", "cli", "clock", "home", "ledger", "pair", "served", "stage", "stub"]
