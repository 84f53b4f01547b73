"""`postback jobs`: the image jobs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from postback.cli import completion, output
from postback.cli.options import Cursor, Json, Limit, Since, Yes, confirm
from postback.cli.session import connect
from postback.cli.watch import watch

app = typer.Typer(help="List, inspect, watch, cancel, resubmit, save and erase jobs.", no_args_is_help=True)

JobId = Annotated[str, typer.Argument(metavar="JOB", help="A job's id: job_…", autocompletion=completion.job_ids)]

_COLUMNS = {
    "ID": "id",
    "STATUS": "status",
    "CREATED": "created_at",
    "MODEL": "model",
    "PROVIDER": "provider",
    "FINISHED": "finished_at",
}


@app.command("list")
def list_(
    context: typer.Context,
    status: Annotated[
        str | None, typer.Option(help="Only jobs in this state.", autocompletion=completion.job_states)
    ] = None,
    provider: Annotated[
        str | None, typer.Option(help="Only jobs of this provider.", autocompletion=completion.providers)
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Only jobs of this model.", autocompletion=completion.models)
    ] = None,
    task_id: Annotated[str | None, typer.Option(help="Only the job with this id at its provider.")] = None,
    created_after: Since = None,
    created_before: Since = None,
    search: Annotated[
        str | None,
        typer.Option(
            "--search", "--q", metavar="TEXT", help="Only jobs with these words, metadata key=value, or any id."
        ),
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: Json = False,
) -> None:
    """List jobs, newest first."""
    query: dict[str, str | int | None] = {
        "status": status,
        "provider": provider,
        "model": model,
        "task_id": task_id,
        "created_after": created_after,
        "created_before": created_before,
        "q": search,
        "limit": limit,
        "cursor": cursor,
    }
    with connect(context) as api:
        page = api.get("jobs", query=query)
    output.print_page(_COLUMNS, page, as_json, "No jobs. Submit one with: postback submit MODEL PROMPT")


@app.command()
def show(context: typer.Context, job_id: JobId, as_json: Json = False) -> None:
    """Show a job and everything that happened to it.

    What went wrong stands first: which attempt of which delivery failed, why, and what to do.
    """
    from postback.cli.show import gather, print_story

    with connect(context) as api:
        if as_json:
            job = api.get("jobs", job_id)
            output.print_json({**job, "timeline": api.get("jobs", job_id, "timeline")["data"]})
            return
        story = gather(api, job_id)
    print_story(story)


app.command()(watch)


@app.command()
def cancel(context: typer.Context, job_id: JobId, as_json: Json = False) -> None:
    """Cancel a job, at its provider where that is possible."""
    with connect(context) as api:
        job = api.post("jobs", job_id, "cancel")
    _print_outcome(job, as_json)


@app.command()
def resubmit(context: typer.Context, job_id: JobId, as_json: Json = False) -> None:
    """Submit a failed, lost or unconfirmed job again, as a new job."""
    with connect(context) as api:
        job = api.post("jobs", job_id, "resubmit")
    _print_outcome(job, as_json)


@app.command()
def save(
    context: typer.Context,
    job_id: JobId,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to; made if it is missing.")],
    as_json: Json = False,
) -> None:
    """Save a job's images as files.

    Prints where each of them is now.
    """
    from postback.cli.save import save_images

    with connect(context) as api:
        saved = save_images(api, api.get("jobs", job_id), folder)
    if as_json:
        output.print_json(saved)
        return
    for image in saved:
        typer.echo(image["path"])


@app.command()
def delete(context: typer.Context, job_id: JobId, yes: Yes = False, as_json: Json = False) -> None:
    """Erase a finished job with its prompt, callbacks and images."""
    confirm(f"Erase {job_id} with its prompt, callbacks and images?", yes)
    with connect(context) as api:
        answer = api.delete("jobs", job_id)
    if as_json:
        output.print_json(answer)
    output.say(f"{job_id} is erased.")


def _print_outcome(job: Mapping[str, Any], as_json: bool) -> None:
    if as_json:
        output.print_json(job)
    else:
        output.print_table({"ID": "id", "STATUS": "status"}, [job])
