"""The same on PostgreSQL, with commits that wait for the disk: one receiver, and one, two and four forwarders.

On a machine with two processors, the database takes its share of them from who uses it. So beside how much faster more
forwarders are, this tells what a delivery costs the database in processor time.
"""

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import uvloop
from databases import Postgres, postgres_server

from . import accept, deliver
from .line import Line, compare, in_turn
from .size import Size

FORWARDERS = (1, 2, 4)
MILLISECONDS = 1_000 / os.sysconf("SC_CLK_TCK")


def lines(size: Size) -> list[Line]:
    """Accepting beside SQLite and the bare server; delivering beside the bare loop, and by more forwarders beside one.

    There is no goal for them: how far two processors carry a database besides is not for us to say.
    """
    with postgres_server(durable=True) as server:
        return [*_accepting(size, server), *_delivering(size, server)]


def _accepting(size: Size, server: Postgres) -> list[Line]:
    def ours() -> float:
        with server.database() as url:
            return uvloop.run(accept.ours(size.callbacks, url)).rate

    rounds = in_turn(
        size.rounds,
        ours=ours,
        limit=lambda: uvloop.run(accept.limit(size.callbacks * 4)).rate,
        file=lambda: uvloop.run(accept.ours(size.callbacks)).rate,
        again=ours,
    )
    what = "callback accepted durably on PostgreSQL, 64 clients"
    bare = "limit: a Starlette app that reads the body and answers 202"
    return [
        compare(what, bare, None, rounds, "limit", figure=float, measured_in="/s"),
        compare(what, "baseline: ours on SQLite", None, rounds, "file", figure=float, measured_in="/s"),
    ]


def _delivering(size: Size, server: Postgres) -> list[Line]:
    costs: dict[int, list[float]] = {number: [] for number in FORWARDERS}

    def ours(forwarders: int) -> Callable[[], float]:
        def measure() -> float:
            with server.database() as url:
                began = spent(server.folder)
                figure = deliver.ours(size.deliveries, url, forwarders)
                costs[forwarders].append((spent(server.folder) - began) / size.deliveries)
            return figure

        return measure

    rounds = in_turn(
        size.rounds,
        limit=lambda: deliver.limit(size.deliveries * 3),
        again=ours(1),
        **{_name(number): ours(number) for number in FORWARDERS},
    )
    bare = "limit: a bare aiohttp loop that POSTs the same bytes"
    what = "delivery settled durably on PostgreSQL, 64 in flight"
    one = compare(f"{what}, 1 forwarder", bare, None, rounds, "limit", of=_name(1), figure=float, measured_in="/s")
    more = [
        compare(
            f"the same by {number} forwarders",
            "baseline: by 1",
            None,
            rounds,
            _name(1),
            of=_name(number),
            again=_name(number),
            figure=float,
            measured_in="/s",
        )
        for number in FORWARDERS[1:]
    ]
    return [one, *more, *(_cost(number, costs[number]) for number in FORWARDERS)]


def _cost(forwarders: int, figures: Sequence[float]) -> Line:
    what = f"processor time of the database a delivery, {forwarders} forwarder{'s' * (forwarders > 1)}"
    return Line(what, "limit: none", figures, None, unit="ms")


def _name(forwarders: int) -> str:
    return f"by_{forwarders}"


def spent(folder: Path) -> float:
    """Milliseconds of processor time of a server in that folder, its ended processes included."""
    postmaster = int((folder / "postmaster.pid").read_text().split()[0])
    found = {pid: _fields(pid) for pid in map(int, filter(str.isdecimal, os.listdir("/proc")))}
    return MILLISECONDS * sum(
        # With those of children that have ended.
        sum(map(int, fields[11:15] if pid == postmaster else fields[11:13]))
        for pid, fields in found.items()
        if fields and (pid == postmaster or int(fields[1]) == postmaster)
    )


def _fields(pid: int) -> list[str]:
    """From `/proc/PID/stat` (proc(5)) what follows the name, which may hold anything: state, parent, and so on."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []  # it has just ended
