"""`postback demo`: Postback, a simulator of the providers and a subscriber, all on this machine, in one process."""

import asyncio
import contextlib
import signal
from collections.abc import Sequence
from pathlib import Path

from postback.demo import guide
from postback.demo.api import Api
from postback.demo.echo import Echo
from postback.demo.home import Home, open_home
from postback.demo.stage import open_stage
from postback.demo.story import STORY, Scene
from postback.demo.tour import PATIENCE_SECONDS, Tour
from postback.demo.voice import Voice

INTERRUPTED = 130


def run(
    once: bool,
    home: Path | None = None,
    *,
    story: Sequence[Scene] = STORY,
    echo: Echo | None = None,
    patience: float = PATIENCE_SECONDS,
) -> int:
    """Plays the story and, unless `once`, keeps running until Ctrl-C. Returns an exit code: 1 if anything is missing.

    `home` is a folder to keep; if not given, a temporary one is removed unless something went wrong. `patience` is in
    seconds. Raises `LedgerError` and `BadKeys` if it cannot start.
    """
    voice = Voice()
    voice.say("This is Postback, with stand-ins for the providers: no keys, no cost, nothing leaves this machine.")
    with open_home(home) as place:
        try:
            return asyncio.run(_demo(once, place, story, echo or Echo(), voice, patience))
        except (KeyboardInterrupt, asyncio.CancelledError):
            voice.say("Interrupted.")
            return INTERRUPTED


async def _demo(once: bool, home: Home, story: Sequence[Scene], echo: Echo, voice: Voice, patience: float) -> int:
    _end_on_sigterm()
    voice.chapter("Everything starts")
    voice.say(f"The log goes to {home.log.name}")
    async with open_stage(home, echo, voice) as stage, Api(stage.postback, stage.api_key) as api:
        if not once:
            link = await api.post("sign-in-links", {})
            url = stage.postback + link["path"]
            voice.good("Watch it in a browser: ", (url, "cyan"), " (good once, for 15 minutes)")
        tour = Tour(stage, api, echo, story, voice, patience=patience)
        missing = await tour.play()
        _judge(missing, len(story), voice)
        if once:
            guide.after(voice)
        else:
            guide.during(voice, stage, tour.acts[0].job["id"])
            await _explore(home, voice)
    if missing and not home.kept:
        home.kept = True
        voice.say(f"What is in {home.path} is kept, so that you can find out why.")
    return 1 if missing else 0


def _judge(missing: Sequence[str], jobs: int, voice: Voice) -> None:
    voice.chapter("The end of the story")
    if not missing:
        voice.good(f"All {jobs} jobs ended as they should, and all {jobs} webhooks arrived and verified.")
    for sentence in missing:
        voice.bad(sentence)


async def _explore(home: Home, voice: Voice) -> None:
    voice.chapter("It keeps running: webhooks that arrive are shown here. Ctrl-C ends it.")
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    voice.say("Stopping." if home.kept else f"Stopping. {home.path} is removed; --home FOLDER would keep one.")


def _end_on_sigterm() -> None:
    """SIGTERM ends it as Ctrl-C does, where the system has it."""
    task = asyncio.current_task()
    assert task is not None
    with contextlib.suppress(NotImplementedError):
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
