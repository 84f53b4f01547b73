"""The calls on subscribers."""

from postback.api import audit, models, recovery, secrets, subscribers, trials
from postback.api import subscriber_bodies as bodies
from postback.api import subscriber_models as shapes
from postback.api.calls.call import Call

CALLS: tuple[Call, ...] = (
    Call(
        "POST",
        "/v1/subscribers",
        "Register a webhook. The answer holds its secret.",
        subscribers.create,
        shapes.SubscriberWithSecret,
        201,
        bodies.NewSubscriber,
        problems=(422,),
    ),
    Call(
        "GET",
        "/v1/subscribers",
        "List subscribers, newest first.",
        subscribers.find,
        shapes.Subscriber,
        paged=True,
        problems=(422,),
    ),
    Call("GET", "/v1/subscribers/{id}", "Get a subscriber.", subscribers.get, shapes.Subscriber, problems=(404,)),
    Call(
        "PATCH",
        "/v1/subscribers/{id}",
        "Change a subscriber; what is left out stays. Disabling it skips what it is owed.",
        subscribers.change,
        shapes.Subscriber,
        body=bodies.SubscriberChanges,
        problems=(404, 422),
    ),
    Call(
        "DELETE",
        "/v1/subscribers/{id}",
        "Forget a subscriber. What it was owed stays to be seen, as skipped.",
        subscribers.delete,
        None,
        204,
        problems=(404,),
    ),
    Call(
        "GET",
        "/v1/subscribers/{id}/secret",
        "Get the secret that signs.",
        secrets.secret,
        shapes.Secret,
        problems=(404,),
    ),
    Call(
        "POST",
        "/v1/subscribers/{id}/rotate-secret",
        "Make a new secret, and for `v1a` new keys. The old ones sign beside them through the grace period (24h).",
        secrets.rotate,
        shapes.SubscriberWithSecret,
        body=bodies.Rotation,
        problems=(404, 422),
    ),
    Call(
        "POST",
        "/v1/subscribers/{id}/test",
        "Send a `postback.ping`, or an example of any event type, at once; the answer tells how that went.",
        trials.test,
        models.TriedDelivery,
        body=bodies.Trial,
        problems=(404, 409, 422),
    ),
    Call(
        "POST",
        "/v1/subscribers/{id}/recover",
        "Send the finished deliveries of a window of time again, paced; `replay_missing` also what was never sent.",
        recovery.recover,
        shapes.Recovered,
        202,
        bodies.Recovery,
        problems=(404, 409, 422),
    ),
    Call(
        "GET",
        "/v1/subscribers/{id}/audit",
        "List who changed a subscriber, when and what, newest first; also of one that was deleted.",
        audit.find,
        shapes.Change,
        paged=True,
        problems=(404, 422),
    ),
    Call(
        "POST",
        "/v1/rekey",
        "Seal all stored secrets again under the newest of POSTBACK_SECRET_KEYS.",
        secrets.rekey,
        shapes.Resealed,
    ),
)
