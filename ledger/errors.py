"""What can go wrong with the ledger.

LedgerError
├── Unavailable      nothing was committed; the same call may succeed later
│   ├── Overloaded   too much is waiting to be committed
│   └── Damaged      what a row holds is not what was written
├── CannotOpen       the database cannot be used as it is; the message says what to do
├── NotFound         there is no such thing
└── Refused          the thing is not in a state that allows this
    └── KeyReused    an idempotency key came back with another body

And `NeedsSavepoint`, which nobody outside meets.
"""


class NeedsSavepoint(Exception):
    """What was done beside somebody's work failed: both are done once more, with a savepoint for each."""


class LedgerError(Exception):
    """The message is for a person and holds no secret."""


class Unavailable(LedgerError):
    """The database could not do it now; nothing was committed."""


class Overloaded(Unavailable):
    """Too many writes wait; nothing was committed."""


class Damaged(Unavailable):
    """What a row holds is not what was written; nothing was committed. The message quotes nothing of it."""

    def __init__(self) -> None:
        super().__init__("the database holds a row that is damaged: restore it from a backup")


class CannotOpen(LedgerError):
    """The database cannot be opened as it is. The message says what to do next."""


class NotFound(LedgerError):
    """There is no such thing, or no longer."""


class Refused(LedgerError):
    """The thing is not in a state that allows what was asked."""


class KeyReused(Refused):
    """The idempotency key belongs to a request with another body."""
