"""`postback jobs show`: a job with everything that happened to it, gathered from the API and drawn."""

import sys
from datetime import UTC, datetime
from typing import Any, Protocol

from postback.cli import output, tellings
from postback.cli.errors import CommandFailed, ExitCode
from postback.cli.story import Story

DRAWN = 20
"""How many deliveries are told attempt by attempt, the newest; a job seldom has more."""


_SAID = ("id", "status", "error")
"""What the first lines say already."""


class Api(Protocol):
    """The part of the client that looking needs."""

    def get(self, *path: str, query: Any = None) -> dict[str, Any]: ...


def gather(api: Api, job_id: str) -> Story:
    """All that the API tells of a job. Raises `CommandFailed`."""
    job = api.get("jobs", job_id)
    timeline = api.get("jobs", job_id, "timeline")["data"]
    found = api.get("deliveries", query={"job_id": job_id, "limit": DRAWN})["data"]
    deliveries = [api.get("deliveries", one["id"]) for one in reversed(found)]
    subscribers = dict.fromkeys(one["subscriber_id"] for one in deliveries)
    urls = {id: url for id in subscribers if (url := _url(api, id)) is not None}
    return Story(job, timeline, deliveries, urls)


def print_story(story: Story) -> None:
    """Prints it: first what matters, then what the job is, then what happened."""
    from rich.text import Text

    from postback.cli.drawing import Drawing

    out, now = output.console(sys.stdout), datetime.now(UTC)
    drawing = Drawing(out)
    for drawn in (drawing.title(story.job), *drawing.findings(story, now)):
        # Commands are left to the terminal to break, so that they can be copied whole.
        out.print(drawn, soft_wrap=isinstance(drawn, Text))
    out.print()
    tellings.print_fields({name: value for name, value in story.job.items() if name not in _SAID})
    for drawn in drawing.timeline(story, now):
        out.print(drawn)
    if len(story.deliveries) == DRAWN:
        output.say(f"Older deliveries: postback deliveries list --job {story.job['id']}")


def _url(api: Api, subscriber_id: str) -> str | None:
    """Where a subscriber is; None for one that was removed."""
    try:
        return str(api.get("subscribers", subscriber_id)["url"])
    except CommandFailed as failure:
        if failure.exit_code != ExitCode.NOT_FOUND:
            raise
        return None
