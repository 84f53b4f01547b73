"""Scenarios in which what is around the house fails: providers, subscribers, PostgreSQL, another worker, a resolver."""

import contextlib
import signal
import time
from collections.abc import Sequence

from e2e.eventually import eventually
from e2e.wire import Reply

from tests.torture.proxy import KINDS, Proxy
from tests.torture.server import PostgresServer
from tests.torture.world import World

STALE_SECONDS = 12.0
STALE_LEASES = "1000"
"""Milliseconds: one process waits for what another holds."""

WAKE_SECONDS = 3.0
LEAST_CUTS = 10
INSIDE = "inside.example"


def wires(world: World, seconds: float) -> str:
    """Delays, cuts, half-closed connections and garbage, between the house and providers, and it and subscribers."""
    proxies = _proxied(world, 0.35)
    hook = world.proxy(world.listener.wire.port, 0.35)
    world.process().start()
    world.subscribe(f"{hook.url}/hook")
    with world.load(most=200):
        time.sleep(seconds)
    world.blows += ["fault"] * (hook.faults + sum(proxy.faults for proxy in proxies))
    for proxy in (*proxies, hook):
        proxy.heal()
    return "an answer of a subscriber that did not come through"


def cuts(world: World, seconds: float) -> str:
    """Providers take every second submission, and their answer is cut off."""
    proxies = _proxied(world, 0.5, ("cut",))
    world.process().start()
    world.subscribe(f"{world.listener.wire.url}/hook")
    with world.load(most=60):
        time.sleep(min(seconds, 6))
        eventually(lambda: sum(proxy.faults for proxy in proxies) >= LEAST_CUTS, 30)
    world.blows += ["cut"] * sum(proxy.faults for proxy in proxies)
    for proxy in proxies:
        proxy.heal()
    return ""


def postgres_stopped(world: World, seconds: float, postgres: PostgresServer) -> str:
    """PostgreSQL is stopped at once in mid-load, and started again."""
    world.process().start()
    world.subscribe(f"{world.listener.wire.url}/hook")
    ends = time.monotonic() + seconds
    with world.load():
        while time.monotonic() < ends:
            time.sleep(world.chance.uniform(1, 2))
            postgres.stop_at_once()
            world.blow("PostgreSQL stopped")
            time.sleep(world.chance.uniform(0, 1))
            began = time.monotonic()
            postgres.start()
            accepted = len(world.accepted)
            eventually(lambda accepted=accepted: len(world.accepted) > accepted, 30)
            world.recovered(began)
    return "an attempt could not be recorded while the database was away"


def stale_forwarder(world: World, seconds: float) -> str:
    """A forwarder is stopped past its lease while a subscriber keeps it waiting; when it wakes, it changes nothing."""
    world.wants["LEASES"] = STALE_LEASES
    world.process(("api", "receiver", "dispatcher")).start()
    old, new = world.process(("forwarder",)), world.process(("forwarder",))
    world.subscribe(f"{world.listener.wire.url}/hook")
    world.listener.replies["/hook"] = [Reply(500, delay=6)]
    old.begin()
    world.submit("told by two", "flux-kontext-pro")
    eventually(lambda: world.listener.at("/hook"), 20)
    old.signal(signal.SIGSTOP)
    world.blow("SIGSTOP")
    new.start()
    held = world.listener.at("/hook")[0].headers["webhook-id"]
    (delivery,) = world.api.all("/deliveries", notification_id=held)
    eventually(lambda: world.api("GET", f"/deliveries/{delivery['id']}")["status"] == "delivered", 40)
    began = time.monotonic()
    old.signal(signal.SIGCONT)
    world.recovered(began)
    # Its attempt ends by its own deadline, which has passed; then it would settle.
    eventually(lambda: '"settled": false' in old.log or _attempts(world) > _deliveries(world), STALE_SECONDS)
    return "a lease that ended while its holder was stopped"


def stale_submitter(world: World, seconds: float) -> str:
    """A submitter is stopped past its lease between claim and sending; another sends its jobs, and it does not."""
    world.wants["LEASES"] = STALE_LEASES
    front = world.process(("api", "receiver", "forwarder"))
    front.start()
    world.subscribe(f"{world.listener.wire.url}/hook")
    prompts = [f"sent by two {number}" for number in range(3)]
    for prompt in prompts:
        world.submit(prompt, "flux-schnell")
    old, new = world.process(("dispatcher",), STEP="submitting:1:stop"), world.process(("dispatcher",))
    old.begin()
    eventually(lambda: old.stopped, 30)
    world.blow("SIGSTOP")
    new.start()
    sent = world.dashscope.script.submissions
    eventually(lambda: all(sent[prompt] for prompt in prompts), 40)
    began = time.monotonic()
    old.signal(signal.SIGCONT)
    with contextlib.suppress(AssertionError):  # what it had claimed, it would send now
        eventually(lambda: any(sent[prompt] > 1 for prompt in prompts), WAKE_SECONDS)
    world.recovered(began)
    return "a lease that ended while its holder was stopped"


def guarded(world: World, seconds: float) -> str:
    """A name that leads inside is registered as a subscriber: nobody is ever dialled there."""
    world.settings["POSTBACK_ALLOW_NETWORKS"] = ""
    world.settings["POSTBACK_RETRY_SCHEDULE"] = "0s,200ms,200ms"
    world.wants["NAMES"] = f"{INSIDE}=127.0.0.1"
    world.process().start()
    world.subscribe(f"http://{INSIDE}:{world.listener.wire.port}/hook")
    for number in range(3):
        world.submit(f"inside {number}", "flux-kontext-pro")
    eventually(lambda: len(world.api.all("/deliveries", status="dead")) >= 3 or world.listener.received, 30)
    assert not world.listener.received, f"{len(world.listener.received)} requests went inside"
    world.blows += ["a name that leads inside"]
    return ""


def _proxied(world: World, share: float, kinds: Sequence[str] = KINDS) -> list[Proxy]:
    """Puts a proxy before each provider."""
    ports = (world.dashscope.wire.port, world.acedata.wire.port)
    dash, ace = (world.proxy(port, share, kinds) for port in ports)
    world.settings |= {"DASHSCOPE_HTTP_BASE_URL": f"{dash.url}/api/v1", "ACEDATA_BASE_URL": ace.url}
    return [dash, ace]


def _attempts(world: World) -> int:
    return sum(one["attempt_count"] for one in world.api.all("/deliveries"))


def _deliveries(world: World) -> int:
    return len(world.api.all("/deliveries"))
