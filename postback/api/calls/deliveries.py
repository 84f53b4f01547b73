"""The calls on what came in and what goes out: callbacks, notifications and deliveries."""

from ledger.callbacks import VERDICTS
from ledger.events import EVENTS
from ledger.lifecycle import DELIVERY
from postback.api import bodies, callbacks, deliveries, models
from postback.api.call import JOB_ID, Call, Query

CALLS: tuple[Call, ...] = (
    Call(
        "GET",
        "/v1/callbacks",
        "List what providers posted, newest first, without headers and bodies.",
        callbacks.find,
        models.CallbackSummary,
        queries=(
            JOB_ID,
            Query("task_id", "Only those with this provider's id."),
            Query("verdict", "Only those with this verdict.", VERDICTS),
        ),
        paged=True,
        problems=(422,),
    ),
    Call("GET", "/v1/callbacks/{id}", "Get a callback as received.", callbacks.get, models.Callback, problems=(404,)),
    Call(
        "GET",
        "/v1/notifications",
        "List notifications, newest first.",
        deliveries.find_notifications,
        models.Notification,
        queries=(JOB_ID, Query("type", "Only those of this event type.", EVENTS)),
        paged=True,
        problems=(422,),
    ),
    Call(
        "GET",
        "/v1/notifications/{id}",
        "Get a notification as it was sent.",
        deliveries.get_notification,
        models.Notification,
        problems=(404,),
    ),
    Call(
        "GET",
        "/v1/deliveries",
        "List deliveries, newest first.",
        deliveries.find,
        models.Delivery,
        queries=(
            Query("status", "Only deliveries in this state.", tuple(DELIVERY)),
            Query("subscriber_id", "Only those to this subscriber."),
            JOB_ID,
            Query("notification_id", "Only those of this notification."),
        ),
        paged=True,
        problems=(422,),
    ),
    Call(
        "GET",
        "/v1/deliveries/{id}",
        "Get a delivery with its attempts.",
        deliveries.get,
        models.DeliveryWithAttempts,
        problems=(404,),
    ),
    Call(
        "POST",
        "/v1/deliveries/{id}/redeliver",
        "Send a finished delivery again, with a fresh schedule.",
        deliveries.redeliver,
        models.Delivery,
        202,
        bodies.Redelivery,
        problems=(404, 409, 422),
    ),
)
