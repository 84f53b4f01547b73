"""`postback submit`: one job, and on wish its result; or a file of jobs."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from postback.cli import completion, output
from postback.cli.errors import CommandFailed, ExitCode
from postback.cli.options import Json, read_duration, read_pairs
from postback.cli.session import connect
from postback.cli.tellings import print_job, print_warnings, say_secret
from postback.cli.wait import wait_for

if TYPE_CHECKING:
    from postback.cli.client import Client

_DRAWN, _TOLD, _WAITING = "What is drawn", "Who is told", "Waiting for it"


def submit(
    context: typer.Context,
    model: Annotated[
        str | None,
        typer.Argument(
            metavar="MODEL",
            help="flux-schnell, flux-dev, stable-diffusion-3.5-large, …",
            autocompletion=completion.models,
        ),
    ] = None,
    prompt: Annotated[str | None, typer.Argument(metavar="PROMPT", help="What to draw, in any script.")] = None,
    provider: Annotated[
        str | None,
        typer.Option(
            rich_help_panel=_DRAWN,
            help="dashscope or acedata; chosen by the model if not given.",
            autocompletion=completion.providers,
        ),
    ] = None,
    size: Annotated[
        str | None, typer.Option(rich_help_panel=_DRAWN, help="Such as 1024*1024 (DashScope) or 1024x1024 (AceData).")
    ] = None,
    n: Annotated[int | None, typer.Option("--n", "-n", rich_help_panel=_DRAWN, help="How many images.")] = None,
    seed: Annotated[int | None, typer.Option(rich_help_panel=_DRAWN, help="Makes a result repeatable.")] = None,
    steps: Annotated[int | None, typer.Option(rich_help_panel=_DRAWN, help="Inference steps.")] = None,
    image_url: Annotated[str | None, typer.Option(rich_help_panel=_DRAWN, help="The image to edit.")] = None,
    parameters: Annotated[
        list[str] | None,
        typer.Option(
            "--parameter",
            "-p",
            metavar="KEY=VALUE",
            rich_help_panel=_DRAWN,
            help="Any other parameter of the provider; see --parameters.",
        ),
    ] = None,
    inputs: Annotated[
        list[str] | None,
        typer.Option(
            "--input",
            metavar="KEY=VALUE",
            rich_help_panel=_DRAWN,
            help="Any other input, such as negative_prompt=blurry.",
        ),
    ] = None,
    metadata: Annotated[list[str] | None, typer.Option(metavar="KEY=VALUE", help="Your own labels.")] = None,
    subscribers: Annotated[
        list[str] | None,
        typer.Option(
            "--subscriber",
            metavar="SUBSCRIBER",
            rich_help_panel=_TOLD,
            help="Tell only this one; may be given again.",
            autocompletion=completion.subscriber_ids,
        ),
    ] = None,
    notify_url: Annotated[
        str | None, typer.Option(metavar="URL", rich_help_panel=_TOLD, help="Tell this URL too, of this job only.")
    ] = None,
    notify_secret: Annotated[
        str | None,
        typer.Option(rich_help_panel=_TOLD, help="Signs what --notify-url gets, whsec_…; one is made if not."),
    ] = None,
    idempotency_key: Annotated[
        str | None, typer.Option(help="Submitting again with the same key gives the same job.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", rich_help_panel=_WAITING, help="Wait until the job ends.")] = False,
    timeout: Annotated[
        int | None,
        typer.Option(
            parser=read_duration,
            metavar="DURATION",
            rich_help_panel=_WAITING,
            help="With --wait: give up after, such as 10m.",
        ),
    ] = None,
    save: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR", rich_help_panel=_WAITING, help="With --wait: save the images as files in this folder."
        ),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="Submit many: a request of POST /v1/jobs a line, as JSON; - is stdin."),
    ] = None,
    explained: Annotated[
        str | None,
        typer.Option(
            "--parameters",
            metavar="MODEL",
            rich_help_panel=_DRAWN,
            help="Show what is documented for that model; submit nothing.",
            autocompletion=completion.models,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Submit a job, or with --file many.

    Prints its id, or with --wait its result. Exit code with --wait: 0 succeeded, 1 failed, canceled or lost, 124 timed
    out.
    """
    if explained is not None:
        from postback.cli.parameters import explain

        _alone(context, "--parameters", "explained", "provider")
        explain(explained, provider, as_json)
        return
    if file is not None:
        from postback.cli.batch import submit_file

        _alone(context, "--file", "file")
        submit_file(context, file, as_json)
        return
    if model is None or prompt is None:
        raise CommandFailed(
            f"missing argument {'MODEL' if model is None else 'PROMPT'}. Write for example:\n"
            f"  postback submit {model or 'flux-schnell'} 'an eagle over the sea'",
            ExitCode.USAGE,
        )
    if timeout is not None and not wait:
        raise typer.BadParameter("--timeout needs --wait", param_hint="--timeout")
    if save is not None and not wait:
        raise typer.BadParameter("--save needs --wait", param_hint="--save")
    body = order(model, prompt, provider, image_url, inputs or [], parameters or [])
    named = {"size": size, "count" if body.get("provider") == "acedata" else "n": n, "seed": seed, "steps": steps}
    body["parameters"] |= {name: value for name, value in named.items() if value is not None}
    if metadata:
        body["metadata"] = read_pairs(metadata, "--metadata")
    told = {"subscribers": subscribers, "notify_url": notify_url, "notify_secret": notify_secret}
    body |= {name: value for name, value in told.items() if value not in (None, [])}
    with connect(context) as api:
        job = api.post("jobs", body=body, headers=_key_header(idempotency_key))
        if not wait:
            _print_submitted(job, as_json)
            say_secret(body, job, as_json)
            return
        output.say(f"{job['id']} is submitted.")
        say_secret(body, job, as_json)
        notify = {"notify": job["notify"]} if "notify" in job else {}
        job = _follow(api, job["id"], None if timeout is None else timeout / 1000)
        if as_json:
            output.print_json(job | notify)
        else:
            print_job(job)
        if job["status"] != "succeeded":
            raise CommandFailed(_ending(job))
        if save is not None:
            _save(api, job, save)


def order(
    model: str, prompt: str, provider: str | None, image_url: str | None, inputs: list[str], parameters: list[str]
) -> dict[str, Any]:
    """The body of `POST /v1/jobs`. The provider is the one given, else the one whose table has the model."""
    from providers import choose

    chosen = choose(model)
    name = provider or (chosen.name if chosen else None)
    given = {"prompt": prompt, **read_pairs(inputs, "--input")}
    if image_url is not None:
        given = {"image_url": image_url, **({"action": "edit"} if name == "acedata" else {}), **given}
    body: dict[str, Any] = {"model": model, "input": given, "parameters": read_pairs(parameters, "--parameter")}
    return {"provider": name, **body} if name else body


def _alone(context: typer.Context, option: str, *allowed: str) -> None:
    """Nothing but `--json` and the allowed may stand beside that option, for it would be ignored."""
    for name, value in context.params.items():
        if name not in (*allowed, "as_json") and value not in (None, False, [], ()):
            raise typer.BadParameter(f"{option} cannot be combined with {name.replace('_', '-')}", param_hint=option)


def _key_header(key: str | None) -> dict[str, str]:
    if key is None:
        return {}
    if not key or not key.isascii() or not key.isprintable():
        raise typer.BadParameter("must be printable ASCII", param_hint="--idempotency-key")
    return {"idempotency-key": key}


def _follow(api: "Client", job_id: str, timeout: float | None) -> dict[str, Any]:
    try:
        with output.status_line() as line:
            return wait_for(
                api,
                job_id,
                timeout,
                lambda status, elapsed: line.show(status, f"{elapsed:.0f} s"),
                time.monotonic,
                time.sleep,
            )
    except KeyboardInterrupt:
        output.say(f"{job_id} goes on. Look again with: postback jobs show {job_id}")
        raise


def _save(api: "Client", job: dict[str, Any], folder: Path) -> None:
    from postback.cli.save import save_images

    for image in save_images(api, job, folder):
        output.say(f"saved {image['path']}")


def _print_submitted(job: dict[str, Any], as_json: bool) -> None:
    if as_json:
        output.print_json(job)
        return
    print_warnings(job)
    typer.echo(job["id"])
    output.say(f"{job['status']} for {job['provider']}. Follow it with: postback jobs show {job['id']}")


def _ending(job: dict[str, Any]) -> str:
    error = job.get("error")
    return f"{job['id']} is {job['status']}" + (f": {error['code']}: {error['message']}" if error else "")
