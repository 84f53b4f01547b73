"""`postback rekey`: all stored secrets are sealed again under the newest key."""

import typer

from postback.cli import output
from postback.cli.errors import CommandFailed
from postback.cli.options import Json
from postback.cli.session import connect

_BEFORE_REMOVING = """\
Stored secrets no longer need the older keys. Before you remove them from POSTBACK_SECRET_KEYS:
- Callback tokens are signed with these keys too. Those of jobs that were submitted before every process had the new
  key stop verifying: wait until none of these jobs is open any more (postback jobs list).
- Links to kept images that were sent out before then stop working as well."""


def rekey(context: typer.Context, as_json: Json = False) -> None:
    """Seal all stored secrets again under the newest of POSTBACK_SECRET_KEYS.

    First add the new key as the last one, and start every process anew with it.
    """
    with connect(context) as api:
        answer = api.post("rekey", patient=True)
    if as_json:
        output.print_json(answer)
    else:
        output.print_details({"resealed": answer["resealed"]})
    if answer["unreadable"]:
        raise CommandFailed(
            f"{answer['unreadable']} subscribers hold secrets that none of the keys opens. Put the key back that they "
            "were sealed with, or give them new secrets; then run this again"
        )
    output.say(_BEFORE_REMOVING)
