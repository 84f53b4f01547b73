"""`postback simulator`: both providers, without keys or cost."""

from typing import Annotated

import typer

from postback.cli.errors import CommandFailed


def simulator(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")] = 8415,
) -> None:
    """Run a stand-in for the providers, to develop against."""
    from postback.simulator.serve import run

    try:
        run(host, port)
    except OSError as error:
        raise CommandFailed(f"cannot listen on {host}:{port}: {error.strerror}. Choose another --port") from None
