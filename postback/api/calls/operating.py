"""The calls for whoever runs the server."""

from postback.api import backup
from postback.api.calls.call import Call

CALLS: tuple[Call, ...] = (
    Call(
        "GET",
        "/v1/backup",
        "Get a consistent, checked copy of a SQLite database; the secret keys are not in it.",
        backup.download,
        None,
        media=backup.MEDIA_TYPE,
        problems=(409,),
    ),
)
