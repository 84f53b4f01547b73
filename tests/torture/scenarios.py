"""The scenarios by name, the databases that each is for, and how one is played to its verdict."""

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from databases import Postgres, postgres_server

from ledger import apart
from tests.torture import blows, neighbours
from tests.torture.judge import Row, judge
from tests.torture.power import power_cut
from tests.torture.process import end_stragglers
from tests.torture.server import PostgresServer
from tests.torture.world import World, opened

SECRET_KEYS = "a-secret-key-for-the-torture"


@dataclass(frozen=True, slots=True)
class Scenario:
    """`play` strikes a world for so many seconds and says what window for duplicates it opens; '' is none.

    `noisy`: the log may say that the database was away. `own_postgres`: it stops the database and needs its own.
    `weight`: how much longer than others it is played. `lacks`: what it needs and this machine has not; '' is nothing.
    """

    play: Callable[..., str]
    databases: tuple[str, ...] = ("sqlite", "postgres")
    noisy: bool = False
    own_postgres: bool = False
    latency: float = 0.1
    weight: float = 1
    lacks: Callable[[], str] = lambda: ""

    @property
    def what(self) -> str:
        """One sentence."""
        return (self.play.__doc__ or "").strip()


def _gcc() -> str:
    return "" if shutil.which("gcc") else "gcc"


def _processors() -> str:
    return "" if apart.processors() > 1 else "a second processor"


SCENARIOS = {
    "kill": Scenario(blows.kills),
    "second-writer": Scenario(blows.second_writer, ("sqlite",), lacks=_processors),
    "steps": Scenario(blows.steps, weight=6),
    "stopped": Scenario(blows.stopped),
    "wires": Scenario(neighbours.wires),
    "cuts": Scenario(neighbours.cuts),
    "clock": Scenario(blows.clock),
    "rotation": Scenario(blows.rotation, latency=0.4),
    "race": Scenario(blows.race, latency=0.05),
    "disk-full": Scenario(blows.full_disk, ("sqlite",), noisy=True),
    "postgres-stop": Scenario(neighbours.postgres_stopped, ("postgres",), noisy=True, own_postgres=True),
    "stale-forwarder": Scenario(neighbours.stale_forwarder, ("postgres",)),
    "stale-submitter": Scenario(neighbours.stale_submitter, ("postgres",)),
    "guard": Scenario(neighbours.guarded, ("sqlite",)),
    "power-cut": Scenario(power_cut, ("sqlite",), lacks=_gcc),
}

CHEAPEST = {
    "acknowledge-before-commit": ("kill", "sqlite"),
    "fence-removed": ("stale-forwarder", "postgres"),
    "lease-not-checked": ("stale-submitter", "postgres"),
    "guard-off": ("guard", "sqlite"),
    "submit-retried-on-timeout": ("cuts", "sqlite"),
    "synchronous-off": ("power-cut", "sqlite"),
    "synchronous-normal": ("power-cut", "sqlite"),
}
"""For each promise that can be broken, where that shows soonest."""


class Databases:
    """Fresh databases; a PostgreSQL server is started by the first that needs it."""

    def __init__(self, shared: Postgres | None = None) -> None:
        self._shared = shared

    @contextmanager
    def fresh(self, kind: str, folder: Path, *, own: bool = False) -> Iterator[tuple[str, Postgres | None]]:
        """The URL of an empty database, and its server if it has one. Raises `PostgresUnavailable`."""
        if kind == "sqlite":
            yield f"sqlite:///{folder}/home/postback.sqlite3", None
        elif own or self._shared is None:
            with postgres_server() as server, server.database() as url:
                yield url, server
        else:
            with self._shared.database() as url:
                yield url, self._shared


def play(row: Row, seed: str, seconds: float, databases: Databases, *, sabotage: str = "") -> Row:
    """Plays the row's scenario on its database, judges it and returns the row.

    What a scenario asserts is a rule, too. Any other error is a crash of the harness, and tells nothing of the rules.
    """
    scenario = SCENARIOS[row.scenario]
    name, database = row.scenario, row.database
    with ExitStack() as stack:
        made = tempfile.TemporaryDirectory(prefix="postback-torture-", ignore_cleanup_errors=True)
        folder = Path(stack.enter_context(made))
        stack.callback(end_stragglers, folder)
        with databases.fresh(database, folder, own=scenario.own_postgres) as (url, server):
            with opened(folder, url, f"{seed}:{name}:{database}", latency=scenario.latency, sabotage=sabotage) as world:
                world.settings["POSTBACK_SECRET_KEYS"] = SECRET_KEYS
                more: dict[str, Any] = {"postgres": PostgresServer(server)} if scenario.own_postgres and server else {}
                try:
                    row.window = scenario.play(world, seconds, **more)
                    judge(world, row, quiet=not scenario.noisy)
                except AssertionError as error:
                    row.broken += [f"AssertionError: {str(error)[:300]}", *_last_words(world)]
                except Exception as error:
                    row.crash = " / ".join([f"{type(error).__name__}: {str(error)[:300]}", *_last_words(world)])
                finally:
                    if not row.judged:
                        row.blows, row.acknowledged = len(world.blows), len(world.accepted)
    return row


def _last_words(world: World) -> list[str]:
    tail = world.processes[0].log.splitlines()[-3:] if world.processes else []
    return [line[:300] for line in tail if '"error"' in line or "Traceback" in line]
