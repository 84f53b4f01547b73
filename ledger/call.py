"""Work that any process with the database may do."""

import pickle
from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from sqlalchemy import Connection

from ledger.ids import Ids
from ledger.moment import Moment

T = TypeVar("T")

READY = b"ready"
"""What another process says first: it takes calls."""

FAILED = b""
"""In place of an answer: nothing was kept."""


class Call(Generic[T]):
    """A piece of work as a function and what it is given. `work` is found by its module and name; what it is given, and
    what it returns, can be pickled. `size` is how many things it deals with."""

    def __init__(
        self,
        size: int,
        work: Callable[..., T],
        args: tuple[Any, ...],
        options: dict[str, Any],
        moment: Callable[[], Moment],
    ) -> None:
        self.size = size
        self._work = work
        self._args = args
        self._options = options
        self._moment = moment

    def __call__(self, connection: Connection) -> T:
        return self._work(connection, self._moment(), *self._args, **self._options)

    def message(self) -> bytes:
        """The call for another process, which has ids of its own."""
        moment = self._moment()
        message = Message(self._work, self._args, self._options, moment.now, moment.first_delay)
        return pickle.dumps(message, pickle.HIGHEST_PROTOCOL)


class Message(NamedTuple):
    """A call on its way."""

    work: Callable[..., Any]
    args: tuple[Any, ...]
    options: dict[str, Any]
    now: int
    first_delay: int

    def run(self, connection: Connection, ids: Ids) -> Any:
        """Does the work."""
        return self.work(connection, Moment(self.now, ids, self.first_delay), *self.args, **self.options)
