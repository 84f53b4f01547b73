"""`postback callbacks`: what providers sent, as they sent it."""

from typing import Annotated

import typer

from postback.cli import completion, output
from postback.cli.options import Cursor, Json, Limit
from postback.cli.session import connect

app = typer.Typer(help="Inspect what providers sent.", no_args_is_help=True)

CallbackId = Annotated[
    str, typer.Argument(metavar="CALLBACK", help="A callback's id: cb_…", autocompletion=completion.callback_ids)
]

_COLUMNS = {
    "ID": "id",
    "VERDICT": "verdict",
    "RECEIVED": "received_at",
    "PROVIDER": "provider",
    "JOB": "job_id",
    "TASK": "task_id",
}


@app.command("list")
def list_(
    context: typer.Context,
    job_id: Annotated[
        str | None,
        typer.Option("--job-id", "--job", help="Only callbacks of this job.", autocompletion=completion.job_ids),
    ] = None,
    task_id: Annotated[str | None, typer.Option(help="Only callbacks of this id at the provider.")] = None,
    verdict: Annotated[
        str | None,
        typer.Option(help="accepted, progress, duplicate, conflicting or invalid.", autocompletion=completion.verdicts),
    ] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    as_json: Json = False,
) -> None:
    """List callbacks, newest first."""
    query: dict[str, str | int | None] = {
        "job_id": job_id,
        "task_id": task_id,
        "verdict": verdict,
        "limit": limit,
        "cursor": cursor,
    }
    with connect(context) as api:
        page = api.get("callbacks", query=query)
    output.print_page(_COLUMNS, page, as_json, "No callbacks.")


@app.command()
def show(context: typer.Context, callback_id: CallbackId, as_json: Json = False) -> None:
    """Show a callback with its headers and body as received."""
    with connect(context) as api:
        callback = api.get("callbacks", callback_id)
    if as_json:
        output.print_json(callback)
        return
    output.print_details({name: value for name, value in callback.items() if name not in ("headers", "body")})
    output.print_heading("Headers")
    output.print_details(callback.get("headers") or {})
    output.print_heading("Body")
    typer.echo(output.clean(callback.get("body") or "(not text: see body_base64)"))
