"""The call that does not end: what happens, as it happens."""

from postback.api import stream
from postback.api.call import Call, Query

CALLS: tuple[Call, ...] = (
    Call(
        "GET",
        "/v1/stream",
        "Follow what happens, as server-sent events.",
        stream.follow,
        None,
        media="text/event-stream",
        queries=(
            Query("Last-Event-ID", "Go on behind the event with this id: nothing is left out.", place="header"),
            Query("events", "Only these event types, separated by commas; `job.*` is all of a kind."),
            Query("after", "Go on behind the event with this id, for clients that cannot send Last-Event-ID."),
        ),
        problems=(422,),
    ),
)
