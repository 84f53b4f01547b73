"""The calls for whoever runs the server."""

from postback.api import backup, metrics
from postback.api.call import Call

CALLS: tuple[Call, ...] = (
    Call(
        "GET",
        "/v1/backup",
        "Get a consistent, checked copy of a SQLite database; the secret keys are not in it.",
        backup.download,
        None,
        media=backup.MEDIA_TYPE,
        problems=(409,),
        needs="admin",
    ),
    Call(
        "GET",
        "/metrics",
        "Get what this process has counted and what is waiting, for Prometheus.",
        metrics.show,
        None,
        media=metrics.MEDIA_TYPE,
        roles=(),
    ),
)
