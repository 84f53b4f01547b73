"""The calls for whoever runs the server."""

from postback.api import backup
from postback.api.calls.call import Call

CALLS: tuple[Call, ...] = (
    Call(
        "GET",
        "/v1/backup",
        "Get a consistent, checked copy of a SQLite database (application/vnd.sqlite3); the secret keys are not in it.",
        backup.download,
        None,
        problems=(409,),
    ),
)
