from tests.api.conftest import both, stage
from tests.ledger.conftest import clock, ledger, pair

__all__ = ["both", "clock", "ledger", "pair", "stage"]
