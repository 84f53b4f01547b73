"""Every call of the API, as data: the routes and the OpenAPI are made from this one table."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from ledger.callbacks import VERDICTS
from ledger.lifecycle import DELIVERY, JOB
from ledger.outbox import EVENTS
from postback.api import artifacts, batch, bodies, callbacks, deliveries, health, jobs, models, subscribers
from postback.house import House
from providers import PROVIDERS

Handler = Callable[[House, Request], Awaitable[Response]]


@dataclass(frozen=True, slots=True)
class Query:
    """A query parameter; `kind` is `text`, `time` or `whole number`."""

    name: str
    says: str
    choices: tuple[str, ...] = ()
    kind: str = "text"


@dataclass(frozen=True, slots=True)
class Call:
    """One call. `paged` lists take `cursor` and `limit`; `problems` are the statuses a caller must expect."""

    method: str
    path: str
    says: str
    handler: Handler
    answer: type[BaseModel] | None
    status: int = 200
    body: type[BaseModel] | None = None
    queries: tuple[Query, ...] = ()
    paged: bool = False
    problems: tuple[int, ...] = ()
    open: bool = False
    """Whether it is answered without a key."""
    roles: tuple[str, ...] = ("api",)
    """Which roles make a process answer it; none named is every process."""


_STATUS = Query("status", "Only jobs in this state.", tuple(JOB))
_JOB_ID = Query("job_id", "Only those of this job.")

CALLS: tuple[Call, ...] = (
    Call(
        "POST",
        "/v1/jobs",
        "Submit a job. With an `Idempotency-Key` header, the same request again returns the same job.",
        jobs.create,
        models.Job,
        202,
        bodies.NewJob,
        problems=(422,),
    ),
    Call(
        "POST",
        "/v1/jobs/batch",
        "Submit up to 1,000 jobs, recorded all or none. Each may have its own `idempotency_key`.",
        batch.create,
        batch.Batch,
        202,
        bodies.NewBatch,
        problems=(422,),
    ),
    Call(
        "GET",
        "/v1/jobs",
        "List jobs, newest first.",
        jobs.find,
        models.Job,
        queries=(
            _STATUS,
            Query("provider", "Only jobs of this provider.", tuple(PROVIDERS)),
            Query("model", "Only jobs for this model."),
            Query("task_id", "Only the job that the provider knows by this id."),
            Query("created_after", "Only jobs made at or after this time.", kind="time"),
            Query("created_before", "Only jobs made before this time.", kind="time"),
        ),
        paged=True,
        problems=(422,),
    ),
    Call("GET", "/v1/jobs/{id}", "Get a job.", jobs.get, models.Job, problems=(404,)),
    Call(
        "GET",
        "/v1/jobs/{id}/timeline",
        "Get everything that happened to a job, oldest first.",
        jobs.story,
        models.Timeline,
        problems=(404,),
    ),
    Call(
        "POST",
        "/v1/jobs/{id}/cancel",
        "Cancel a job: at once while it is queued, at the provider where that can be.",
        jobs.take_back,
        models.Job,
        problems=(404, 409),
    ),
    Call(
        "POST",
        "/v1/jobs/{id}/resubmit",
        "Ask for the same again, as a new job that names the old. It may be billed again.",
        jobs.resubmit,
        models.Job,
        202,
        problems=(404, 409),
    ),
    Call(
        "DELETE",
        "/v1/jobs/{id}",
        "Erase a finished job with its prompt, callbacks and notifications.",
        jobs.delete,
        None,
        204,
        problems=(404, 409),
    ),
    Call(
        "POST",
        "/v1/subscribers",
        "Register a webhook. The answer holds its secret.",
        subscribers.create,
        models.SubscriberWithSecret,
        201,
        bodies.NewSubscriber,
        problems=(422,),
    ),
    Call(
        "GET",
        "/v1/subscribers",
        "List subscribers, newest first.",
        subscribers.find,
        models.Subscriber,
        paged=True,
        problems=(422,),
    ),
    Call("GET", "/v1/subscribers/{id}", "Get a subscriber.", subscribers.get, models.Subscriber, problems=(404,)),
    Call(
        "PATCH",
        "/v1/subscribers/{id}",
        "Change a subscriber; what is left out stays. Disabling it skips what it is owed.",
        subscribers.change,
        models.Subscriber,
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
        subscribers.secret,
        models.Secret,
        problems=(404,),
    ),
    Call(
        "POST",
        "/v1/subscribers/{id}/rotate-secret",
        "Make a new secret. The old one signs beside it through the grace period (24h).",
        subscribers.rotate,
        models.SubscriberWithSecret,
        body=bodies.Rotation,
        problems=(404, 422),
    ),
    Call(
        "POST",
        "/v1/subscribers/{id}/test",
        "Send a `postback.ping` now and get its first attempt; 202 where none was made in time.",
        subscribers.test,
        models.DeliveryWithAttempts,
        problems=(404, 409),
    ),
    Call(
        "POST",
        "/v1/subscribers/{id}/recover",
        "Send the finished deliveries of a window of time again.",
        subscribers.recover,
        models.Recovered,
        202,
        bodies.Window,
        problems=(404, 409, 422),
    ),
    Call(
        "GET",
        "/v1/callbacks",
        "List what providers posted, newest first, without headers and bodies.",
        callbacks.find,
        models.CallbackSummary,
        queries=(
            _JOB_ID,
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
        queries=(_JOB_ID, Query("type", "Only those of this event type.", EVENTS)),
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
            _JOB_ID,
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
        problems=(404, 409),
    ),
    Call(
        "POST",
        "/callbacks/{token}",
        "Tell how a job stands, as its provider does. The token in the path is the authority.",
        callbacks.receive,
        models.Received,
        body=bodies.ProviderWords,
        problems=(404, 503),
        open=True,
        roles=("receiver",),
    ),
    Call(
        "GET",
        "/artifacts/{id}/{signature}",
        "Get a result image that was kept. The signature in the path is the authority.",
        artifacts.serve,
        None,
        problems=(404, 503),
        open=True,
        roles=("api", "receiver"),
    ),
    Call("GET", "/healthz", "Whether the process is up.", health.healthz, models.Health, open=True, roles=()),
    Call(
        "GET",
        "/readyz",
        "Whether the database is migrated and can be written.",
        health.readyz,
        models.Health,
        open=True,
        roles=(),
        problems=(503,),
    ),
)
