"""`postback jobs watch`: the newest jobs, or all that happens to one, live."""

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any, Protocol

import typer

from postback.cli import completion, output, times
from postback.cli.errors import CommandFailed, ExitCode
from postback.cli.options import Json
from postback.cli.session import connect

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from postback.cli.client import Client

SHOWN = 50
"""How many jobs are watched at once, the newest."""

_COLUMNS = {"ID": "id", "STATUS": "status", "AGE": "age", "MODEL": "model", "PROMPT": "prompt"}


class Watched(Protocol):
    """What is looked at again and again; `settled` when there is nothing more to see."""

    settled: bool

    def look(self) -> None: ...
    def draw(self, out: "Console", now: datetime) -> "RenderableType": ...
    def tell(self, as_json: bool) -> None: ...


def watch(
    context: typer.Context,
    job_id: Annotated[
        str | None,
        typer.Argument(
            metavar="[JOB]", help="All that happens to this job; without it, jobs.", autocompletion=completion.job_ids
        ),
    ] = None,
    status: Annotated[
        str | None, typer.Option(help="Only jobs in this state.", autocompletion=completion.job_states)
    ] = None,
    as_json: Json = False,
) -> None:
    """Watch the newest jobs, or one with its timeline, live.

    Off a terminal it prints a line for each change, with --json a line of JSON. Of one job it ends when nothing more
    happens to it, else at Ctrl-C.
    """
    if job_id is not None and status is not None:
        raise typer.BadParameter("cannot be combined with JOB", param_hint="--status")
    try:
        with connect(context) as api:
            _follow(api, Jobs(api, status) if job_id is None else OneJob(api, job_id), as_json)
    except KeyboardInterrupt:
        output.say("Stopped.")


def _follow(api: "Client", watched: Watched, as_json: bool) -> None:
    from postback.cli.feed import Feed
    from postback.cli.pulse import Pulse
    from postback.cli.views import view

    watched.look()
    with view(watched, as_json) as show:
        show(())
        if watched.settled:
            return
        pulse = Pulse()
        pulse.listen(Feed(api, (), greet=lambda: None, report=pulse.report))
        for said in pulse.beats():
            try:
                watched.look()
            except CommandFailed as failure:
                if failure.exit_code != ExitCode.UNREACHABLE:
                    raise
            show(said)
            if watched.settled:
                return


class Jobs:
    """The newest jobs, or those in one state."""

    settled = False

    def __init__(self, api: "Client", status: str | None) -> None:
        self._api = api
        self._query = {"status": status, "limit": SHOWN}
        self._jobs: list[dict[str, Any]] = []
        self._told: Mapping[str, str] = {}

    def look(self) -> None:
        """Asks the server. Raises `CommandFailed`."""
        self._jobs = self._api.get("jobs", query=self._query)["data"]

    def draw(self, out: "Console", now: datetime) -> "RenderableType":
        """A table that fits the terminal."""
        from rich.text import Text

        rows = [{**job, "age": _age(job, now), "prompt": job["input"].get("prompt")} for job in self._jobs]
        if not rows:
            return Text("No jobs yet. Stop with Ctrl-C.")
        table, _ = output.list_table(_COLUMNS, rows[: max(1, out.height - 3)], out.width)
        return table

    def tell(self, as_json: bool) -> None:
        """Each job that is new or has another state, the oldest first."""
        for job in reversed(self._jobs):
            before = self._told.get(job["id"])
            if before == job["status"]:
                continue
            if as_json:
                output.print_line_of_json(job)
            else:
                output.print_words(job["id"], *([before, "->"] if before else []), job["status"], job["model"])
        self._told = {job["id"]: job["status"] for job in self._jobs}


class OneJob:
    """A job with everything that happened to it."""

    def __init__(self, api: "Client", job_id: str) -> None:
        self._api = api
        self._id = job_id
        self._told: list[Mapping[str, Any]] = []
        self.settled = False

    def look(self) -> None:
        """Asks the server. Raises `CommandFailed`."""
        from postback.cli.show import gather

        self._story = gather(self._api, self._id)
        self.settled = self._story.settled

    def draw(self, out: "Console", now: datetime) -> "RenderableType":
        """What `jobs show` draws, without what the job is made of."""
        from rich.console import Group

        from postback.cli.drawing import Drawing

        drawing, story = Drawing(out), self._story
        return Group(drawing.title(story.job), *drawing.findings(story, now), *drawing.timeline(story, now))

    def tell(self, as_json: bool) -> None:
        """Each entry of the timeline that is new."""
        for entry in self._story.timeline:
            if entry in self._told:
                continue
            if as_json:
                output.print_line_of_json(entry)
            else:
                output.print_words(entry["at"], f"{entry['type']:<12}", entry["summary"])
        self._told = list(self._story.timeline)


def _age(job: Mapping[str, Any], now: datetime) -> str:
    return times.span(max(0, int((now - times.moment(job["created_at"])).total_seconds())))
