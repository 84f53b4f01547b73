"""Long plays, on both databases at once, because they mostly wait: for leases, or for a provider's grace."""

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TypeVar

import pytest
from e2e.fresh import fresh_database
from e2e.scene import Scene, opened
from e2e.wire import Stage

T = TypeVar("T")

DATABASES = ("sqlite", "postgres")


@contextmanager
def played(
    play: Callable[[Scene], T],
    request: pytest.FixtureRequest,
    stage: Stage,
    folder: Path,
    *,
    latency: float = 0,
    **settings: object,
) -> Iterator[dict[str, "Future[T]"]]:
    """What came of a play in a house of its own on each kind of database. The houses stand until the end."""
    with ExitStack() as stack, ThreadPoolExecutor() as side_by_side:
        endings = {}
        for kind in DATABASES:
            home = folder / kind
            home.mkdir()
            url = stack.enter_context(fresh_database(kind, home, request))
            scene = stack.enter_context(opened(stage, home, url, latency=latency, **settings))
            endings[kind] = side_by_side.submit(play, scene)
        yield endings
