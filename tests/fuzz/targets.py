"""What can be fuzzed. Each is a module of this folder with `seeds()`, what to begin with, and `judge(data)`, which
raises where a rule is broken."""

from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Protocol, cast

TARGETS = {
    "body": "a callback's body: strict JSON, what each provider reads in it, and the verdict on jobs in every state",
    "token": "a callback's token: only what was signed is accepted, and nothing but a refusal is raised",
    "request": "a whole request, answered by the application on a ledger in memory: never a 5xx",
}

LED_BY = {
    "body": ("providers", "ledger", "receiver"),
    "token": ("ledger",),
    "request": ("providers", "receiver", "postback"),
    "ladder": ("tests.fuzz.ladder",),
}
"""The packages whose coverage leads the way; each costs time at the start. `ladder` is there to see that it leads."""


class Target(Protocol):
    """The module of a target."""

    seeds: Callable[[], Iterable[bytes]]
    judge: Callable[[bytes], None]


def load(name: str) -> Target:
    """Imports a target, and with it what it is about."""
    return cast(Target, import_module(f"tests.fuzz.{name}"))
