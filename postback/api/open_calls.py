"""The calls that need no key: of providers, of whoever has an image's URL, and of what watches the process.

They are answered first after a start, so nothing is imported here that they do not need.
"""

from postback.api import artifacts, callbacks, health
from postback.api import open_models as models
from postback.api.call import Call
from receiver import intake

CALLS: tuple[Call, ...] = (
    Call(
        "POST",
        intake.PATH,
        "Tell how a job stands, as its provider does. The token in the path is the authority.",
        callbacks.receive,
        models.Received,
        body=models.ProviderWords,
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
