"""The command line. `main` is the entry point; each command's own file imports what is heavy when it runs."""

import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from postback.cli import callbacks, deliveries, jobs, keys, notifications, output, subscribers
from postback.cli.backup import backup
from postback.cli.config import config
from postback.cli.demo import demo
from postback.cli.doctor import doctor
from postback.cli.errors import ExitCode
from postback.cli.listen import listen
from postback.cli.migrate import migrate
from postback.cli.panels import Command, Group
from postback.cli.rekey import rekey
from postback.cli.serve import serve
from postback.cli.session import Session, session_of
from postback.cli.simulator import simulator
from postback.cli.submit import submit
from postback.cli.tail import tail
from postback.cli.verify import verify

app = typer.Typer(
    name="postback",
    help="Fire-and-forget AI image jobs, delivered as webhooks you can trust.",
    cls=Group,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
_BEGIN, _JOBS, _TOLD, _OPERATE = "Begin", "Jobs and what comes back", "Webhooks, and what they are told", "Operate"

app.command(rich_help_panel=_BEGIN)(demo)
app.command(rich_help_panel=_BEGIN)(serve)
app.command(rich_help_panel=_BEGIN)(simulator)
app.command("sign-in", rich_help_panel=_BEGIN)(keys.sign_in)
app.command(cls=Command, rich_help_panel=_JOBS)(submit)
app.add_typer(jobs.app, name="jobs", rich_help_panel=_JOBS)
app.add_typer(callbacks.app, name="callbacks", rich_help_panel=_JOBS)
app.command(rich_help_panel=_JOBS)(tail)
app.add_typer(subscribers.app, name="subscribers", rich_help_panel=_TOLD)
app.add_typer(notifications.app, name="notifications", rich_help_panel=_TOLD)
app.add_typer(deliveries.app, name="deliveries", rich_help_panel=_TOLD)
app.command(rich_help_panel=_TOLD)(listen)
app.command(rich_help_panel=_TOLD)(verify)
app.add_typer(keys.app, name="keys", rich_help_panel=_OPERATE)
app.command(rich_help_panel=_OPERATE)(config)
app.command(rich_help_panel=_OPERATE)(doctor)
app.command(rich_help_panel=_OPERATE)(migrate)
app.command(rich_help_panel=_OPERATE)(backup)
app.command(rich_help_panel=_OPERATE)(rekey)


def _print_version(wanted: bool) -> None:
    if wanted:
        from postback import __version__

        typer.echo(f"postback {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    home: Annotated[Path | None, typer.Option(help="The data folder (POSTBACK_HOME).")] = None,
    url: Annotated[str | None, typer.Option(help="The server to speak to (POSTBACK_URL).")] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show the trace of an unexpected error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    session = session_of(context)
    session.home, session.url, session.debug = home, url, debug


def run(arguments: Sequence[str] | None = None) -> int:
    """Runs one command line, that of the process if not given, and returns its exit code. Never raises."""
    session = Session()
    output.write_anything()
    try:
        app(arguments, prog_name="postback", obj=session)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else ExitCode.OK if end.code is None else _failed(str(end.code))
    except typer.TyperException as failure:
        return _failed(failure.format_message(), failure.exit_code)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except UnicodeEncodeError:
        return _failed("the command line or the environment holds what is no text in UTF-8", ExitCode.USAGE)
    except Exception as error:
        if session.debug:
            traceback.print_exc()
        message = str(error).strip() or "no message"
        hint = "" if session.debug else "\nSee more with: postback --debug …"
        return _failed(f"{type(error).__name__}: {message}{hint}")
    return ExitCode.OK


def main() -> None:
    """The program `postback`."""
    output.open_streams()
    sys.exit(run())


def _failed(message: str, code: int = ExitCode.FAILED) -> int:
    output.say(f"Error: {message}")
    return code
