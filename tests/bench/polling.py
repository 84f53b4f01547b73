"""What ten thousand jobs in flight cost against twenty queries a second: `dispatcher.crowd`, in virtual time."""

import asyncio
import logging
import tempfile
from pathlib import Path

import structlog

from tests.dispatcher.crowd import measure

from .line import Line, at_most
from .size import Size


def lines(size: Size) -> list[Line]:
    """Both are the same in every run: nothing in them depends on the machine."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        ours = asyncio.run(measure(Path(folder), size.crowd, swept=True))
        one_by_one = asyncio.run(measure(Path(folder), size.crowd // 20, swept=False))
    what = f"{size.crowd} jobs in flight, 20 queries a second, virtual time"
    return [
        Line(
            f"{what}: queries and lists a job",
            f"limit: one fetch a job; one by one: {one_by_one.calls_a_job:g} with {one_by_one.jobs} jobs",
            [ours.calls_a_job],
            at_most(1.3),
            unit="",
        ),
        Line(
            f"{what}: mean delay",
            f"baseline: one by one, with {one_by_one.jobs} jobs: {one_by_one.mean_delay:g} s",
            [ours.mean_delay],
            at_most(30),
            unit="s",
        ),
    ]
