"""The loops of the role forwarder, tied together: carrying notifications out, and copying images in."""

from collections.abc import Callable
from contextlib import AsyncExitStack

from ledger.keys import SecretKeys
from ledger.lane import Circuit
from ledger.ledger import Ledger
from ledger.traces import Tracer
from postback.runner import Runner
from postback.settings import Settings
from receiver import archiver
from receiver.archiver import Archiver
from receiver.courier import Courier
from receiver.egress import Egress
from receiver.forwarder import Forwarder
from receiver.observer import Observer
from receiver.storage import Storage


def open_courier(settings: Settings, keys: SecretKeys, closing: AsyncExitStack) -> Courier:
    """What carries notifications out, in the running event loop. Its connections are left to `closing`."""
    egress = Egress(settings.allow_networks, settings.delivery_timeout)
    closing.push_async_callback(egress.close)
    return Courier(keys, egress)


def start_forwarder(
    settings: Settings,
    ledger: Ledger,
    courier: Courier,
    circuit: Circuit,
    observer: Observer,
    tracer: Tracer,
    runner: Runner,
) -> Forwarder:
    """Starts the loop that sends what is due, and returns it for who makes something due."""
    forwarder = Forwarder(
        ledger,
        courier,
        schedule=settings.retry_schedule,
        timeout=settings.delivery_timeout,
        circuit=circuit,
        spawn=runner.spawn,
        wake=runner.wake,
        stopping=runner.stopping,
        observer=observer,
        tracer=tracer,
    )
    runner.start(forwarder.run_once)
    return forwarder


def start_archiver(
    settings: Settings,
    ledger: Ledger,
    storage: Storage,
    *,
    link: Callable[[str], str],
    on_settled: Callable[[], None],
    on_told: Callable[[], None],
    closing: AsyncExitStack,
    runner: Runner,
) -> None:
    """Starts the loop that copies images; see `Archiver`. Its connections are left to `closing`."""
    # A door of its own: no notification waits behind an image.
    egress = Egress(settings.allow_networks, archiver.ANSWER_TIMEOUT, connections=archiver.MAX_COPIES)
    closing.push_async_callback(egress.close)
    copier = Archiver(
        ledger,
        egress,
        storage,
        link=link,
        max_size=settings.artifact_max_size,
        quota=settings.artifact_quota,
        spawn=runner.spawn,
        on_settled=on_settled,
        on_told=on_told,
    )
    runner.start(copier.run_once)
