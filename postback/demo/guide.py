"""Where to look next: lines to copy into another terminal."""

import shlex
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from postback.demo.stage import Stage
from postback.demo.voice import Voice

_README = 'README.md, "The first five minutes with real keys"'


def after(voice: Voice) -> None:
    """For a demo that has ended."""
    voice.chapter("Where to look next")
    voice.say("To look around: run it again without --once. It keeps running, and says how.")
    voice.say(f"With your own keys: {_README}.")


def during(voice: Voice, stage: Stage, job_id: str) -> None:
    """For a demo that keeps running. `job_id` is one to look at."""
    program = _program()
    voice.chapter("Where to look next")
    voice.say("In another terminal:")
    _lines(voice, [f"export POSTBACK_HOME={shlex.quote(str(stage.home.path))} POSTBACK_URL={stage.postback}"])
    voice.say("The command line:")
    _lines(
        voice,
        [
            f"{program} submit flux-schnell 'a red fox [delay=5s]' --wait",
            f"{program} jobs list",
            f"{program} jobs show {job_id}",
            f"{program} deliveries list",
            f"{program} sign-in",
        ],
    )
    voice.say("The HTTP API, with the key from the file api.key:")
    curl = 'curl -s -H "Authorization: Bearer $(cat "$POSTBACK_HOME/api.key")"'
    _lines(
        voice,
        [
            f"{curl} $POSTBACK_URL/v1/jobs",
            f"{curl} $POSTBACK_URL/v1/jobs/{job_id}/timeline",
            f"""{curl} --json '{{"model":"flux-dev","input":{{"prompt":"a whale"}}}}' $POSTBACK_URL/v1/jobs""",
        ],
    )
    voice.say("In a browser:")
    _lines(
        voice,
        [
            f"{stage.postback}/            the dashboard",
            f"{stage.postback}/docs        the whole API",
            f"{stage.simulator}/            what a prompt can ask the simulator for",
            f"{stage.webhooks}    what the echo subscriber has kept",
        ],
    )
    voice.say(f"With your own keys: {_README}.")


def _lines(voice: Voice, lines: Sequence[str]) -> None:
    for line in lines:
        voice.say(("  " + line, "cyan"))


def _program() -> str:
    """How to call `postback` from anywhere: it need not be on the PATH."""
    program = Path(sys.argv[0]).absolute()
    if program.name != "postback" or shutil.which("postback") == str(program):
        return "postback"
    return shlex.quote(str(program))
