"""Scenarios in which the house itself is struck: killed, stopped, its disk full, its clock moved."""

import contextlib
import os
import resource
import signal
import time

import httpx2 as httpx
from e2e.eventually import eventually

from tests.torture.clocks import step
from tests.torture.steps import STEPS
from tests.torture.world import LEASES, MODELS, World

STEP_SECONDS = 20.0
HOUR = 3_600_000
FULL_BYTES = 4_096
DELIVERY_SECONDS = 3
"""How long an attempt may take; a forwarder's lease is as much longer as others last."""


def kills(world: World, seconds: float) -> str:
    """SIGKILL at random moments under load."""
    world.process().start()
    world.subscribe(f"{world.listener.wire.url}/hook")
    ends = time.monotonic() + seconds
    with world.load():
        while time.monotonic() < ends:
            time.sleep(world.chance.uniform(0.3, 1.5))
            _killed(world)
    return "between a POST and the commit that records it"


def second_writer(world: World, seconds: float) -> str:
    """SIGKILL, now of the server and now of its second writer alone, which does all that it can."""
    world.wants["APART"] = "1"
    world.process().start()
    world.subscribe(f"{world.listener.wire.url}/hook")
    ends = time.monotonic() + seconds
    with world.load():
        eventually(lambda: world.server.others, 20)
        while time.monotonic() < ends:
            time.sleep(world.chance.uniform(0.3, 1.5))  # it has to be loaded before it is given anything
            writers = world.server.others  # none where there was nothing to do since the last one
            if writers and world.chance.random() < 0.7:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(writers[0], signal.SIGKILL)
                world.blow("second writer killed")
            else:
                _killed(world)
    return "between a POST and the commit that records it"


def stopped(world: World, seconds: float) -> str:
    """SIGSTOP past every lease, under load, and SIGCONT."""
    world.process().start()
    world.subscribe(f"{world.listener.wire.url}/hook")
    ends = time.monotonic() + seconds
    with world.load():
        while time.monotonic() < ends:
            time.sleep(world.chance.uniform(0.3, 1.0))
            world.server.signal(signal.SIGSTOP)
            world.blow("SIGSTOP")
            time.sleep(DELIVERY_SECONDS + int(LEASES) / 1_000 + world.chance.uniform(0.3, 1))
            world.server.signal(signal.SIGCONT)
            began, accepted = time.monotonic(), len(world.accepted)
            eventually(lambda accepted=accepted: len(world.accepted) > accepted, 20)
            world.recovered(began)
    return "a lease that ended while its holder was stopped"


def steps(world: World, seconds: float) -> str:
    """SIGKILL at each named step, in an order that the seed gives, as many as the time allows."""
    world.settings["POSTBACK_ARCHIVE"] = 1
    world.wants["NAMES"] = "cdn.example=127.0.0.1,results.example=127.0.0.1"
    others = [one for one in STEPS if one != "migrate"]
    world.chance.shuffle(others)
    ends = time.monotonic() + seconds
    server = world.process()
    for name in ("migrate", *others):
        if time.monotonic() > ends:
            break
        server.wants["TORTURE_STEP"] = f"{name}:{1 if name == 'migrate' else world.chance.randint(1, 3)}"
        _dies_at(world, name)
    server.wants["TORTURE_STEP"] = ""
    began = time.monotonic()
    server.start()
    world.recovered(began)
    if not world.hook:
        world.subscribe(f"{world.listener.wire.url}/hook")
    return "between a POST and the commit that records it"


def full_disk(world: World, seconds: float) -> str:
    """No file can grow, again and again: writes are refused with 503, and work again without a restart."""
    server = world.process()
    server.start()
    world.subscribe(f"{world.listener.wire.url}/hook")
    ends = time.monotonic() + seconds
    _, most = resource.prlimit(server.pid, resource.RLIMIT_FSIZE)
    with world.load():
        while time.monotonic() < ends:
            time.sleep(world.chance.uniform(0.5, 1.0))
            resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (FULL_BYTES, most))
            world.blow("disk full")
            before = world.refusals
            time.sleep(world.chance.uniform(0.5, 1.0))
            assert httpx.get(f"{server.url}/healthz", timeout=5, trust_env=False).status_code == 200
            eventually(lambda before=before: world.refusals > before, 10)
            resource.prlimit(server.pid, resource.RLIMIT_FSIZE, (most, most))
            began = time.monotonic()
            accepted = len(world.accepted)
            eventually(lambda accepted=accepted: len(world.accepted) > accepted, 20)
            world.recovered(began)
    return "an attempt could not be recorded while the disk was full"


def clock(world: World, seconds: float) -> str:
    """The clock is stepped by a second and by an hour, forth and back, under load."""
    path = str(world.home.with_name("clock"))
    world.wants["CLOCK"] = path
    server = world.process()
    server.start()
    world.subscribe(f"{world.listener.wire.url}/hook")
    ends = time.monotonic() + seconds
    turns = [1_000, -1_000, HOUR, -HOUR, 240_000]
    with world.load():
        while time.monotonic() < ends:
            step(path, world.chance.choice(turns))
            world.blow("clock stepped")
            time.sleep(world.chance.uniform(0.3, 1.2))
    step(path, 3 * HOUR)  # what was put off by a clock that was ahead is due now
    return "a lease that a clock an hour ahead ended early"


def rotation(world: World, seconds: float) -> str:
    """Keys are added while jobs are under way, with a restart each: no callback signed with an older key is refused."""
    keys = ["the-first-key-of-all"]
    server = world.process(settings={"POSTBACK_SECRET_KEYS": keys[0]})
    server.start()
    world.subscribe(f"{world.listener.wire.url}/hook")
    ends = time.monotonic() + seconds
    with world.load():
        while time.monotonic() < ends or len(keys) < 2:
            time.sleep(world.chance.uniform(0.5, 1.5))
            server.stop()
            keys.append(f"another-key-number-{len(keys)}")
            server.env["POSTBACK_SECRET_KEYS"] = ",".join(keys)
            world.blow("key added")
            began = time.monotonic()
            server.start()
            world.recovered(began)
    refused = [one for said in list(world.acedata.answers.values()) for one in list(said) if one.status_code == 404]
    assert not refused, f"{len(refused)} callbacks were refused"
    return ""


def race(world: World, seconds: float) -> str:
    """Every job is asked about while its callback is on its way."""
    world.settings["POSTBACK_ACEDATA_POLL_AFTER"] = "1ms"
    world.process().start()
    world.subscribe(f"{world.listener.wire.url}/hook")
    with world.load():
        time.sleep(seconds)
    return ""


def _killed(world: World) -> None:
    world.server.kill()
    world.blow("killed")
    began = time.monotonic()
    while world.chance.random() < 0.3:
        world.server.begin()
        time.sleep(world.chance.uniform(0.1, 2))
        world.server.kill()
        world.blow("killed while it started")
    world.server.start()
    world.recovered(began)


def _dies_at(world: World, name: str) -> None:
    """Starts the server, gives it work until it ends itself, and leaves it dead."""
    server = world.server
    began = time.monotonic()
    server.begin()
    with contextlib.suppress(RuntimeError, AssertionError):
        server.ready()
        world.recovered(began)
        if not world.hook:
            with contextlib.suppress(httpx.TransportError):
                world.subscribe(f"{world.listener.wire.url}/hook")
    ends = time.monotonic() + STEP_SECONDS
    number = 0
    while server.running and time.monotonic() < ends:
        world.submit(f"{name} {number} {world.chance.random()}", MODELS[number % len(MODELS)], within=0.5)
        number += 1
        time.sleep(0.1)
    assert not server.running, f"the step {name} was not reached"
    server.kill()
    world.blow(name)
