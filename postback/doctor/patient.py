"""What all checks look at: the settings, and the database where this process may open it."""

from dataclasses import dataclass, field
from pathlib import Path

from ledger.clock import Clock, system_now
from ledger.database import Database
from postback.setting_types import without_password
from postback.settings import Settings


@dataclass
class Patient:
    """One installation. `held` says that another process has the SQLite file; `refusal` is why it does not open."""

    settings: Settings
    clock: Clock = system_now
    file: Path | None = None
    database: Database | None = None
    refusal: str | None = None
    held: bool = False
    answers: bool = False
    """Whether the server answered that it is ready."""
    clocks: dict[str, int] = field(default_factory=dict)
    """How many milliseconds each other clock that was seen is ahead of ours."""

    @property
    def server(self) -> str:
        """Where the server should be, as it may be printed."""
        return without_password(self.settings.url)

    @property
    def serves_postgres(self) -> bool:
        return self.file is None
