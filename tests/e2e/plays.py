"""The long plays. All begin together, on both databases, because they mostly wait: for leases, and for a provider's
half minute of grace."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from e2e import kill_play, sample_play
from e2e.fresh import fresh_database
from e2e.scene import Scene, opened
from e2e.wire import Stage

DATABASES = ("sqlite", "postgres")


@dataclass(frozen=True)
class Play:
    """What is played, and in which house."""

    act: Callable[[Scene], Any]
    latency: float = 0
    settings: Mapping[str, object] = field(default_factory=dict)


PLAYS = {
    "test_samples": Play(sample_play.play),
    "test_kills": Play(kill_play.play, kill_play.LATENCY, kill_play.PACES),
}
"""By the module that wants to know how it ended."""

Endings = dict[tuple[str, str], "Future[Any]"]


@contextmanager
def begun(request: pytest.FixtureRequest, stage: Stage, folder: Path) -> Iterator[Endings]:
    """How the plays of the modules in this run end, by module and kind of database."""
    modules = {item.path.stem for item in request.session.items}
    with ExitStack() as stack, ThreadPoolExecutor() as side_by_side:
        endings: Endings = {}
        for module in sorted(modules & PLAYS.keys()):
            for kind in DATABASES:
                play, home = PLAYS[module], folder / f"{module}-{kind}"
                home.mkdir()
                url = stack.enter_context(fresh_database(kind, home, request))
                scene = stack.enter_context(opened(stage, home, url, latency=play.latency, **play.settings))
                endings[module, kind] = side_by_side.submit(play.act, scene)
        yield endings
