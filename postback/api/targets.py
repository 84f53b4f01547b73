"""Whom a job tells: the subscribers that it names, and the URL that it brings along."""

from collections.abc import Iterator
from typing import Any

from ledger.ids import is_id
from ledger.one_offs import Target
from ledger.recording import Recorded
from postback.api import models, signatures
from postback.api.bodies import NewJob
from postback.house import House
from receiver import signing
from receiver.guard import refuse_url


class OneOff(models.Shape):
    """The subscriber that a job's `notify_url` became; it is told of that job only."""

    subscriber_id: str
    secret: str
    """Signs what it gets."""


class SubmittedJob(models.Job):
    """A job as whoever submitted it sees it."""

    notify: OneOff | None = None
    """Only with `notify_url`; null if that one-off subscriber was deleted since."""


def refusals(house: House, asked: NewJob) -> Iterator[tuple[str, str]]:
    """What is wrong with whom a job is to tell, as far as the request itself shows: pointers and sentences."""
    for place, one in enumerate(asked.subscribers or ()):
        if not is_id(one, "sub"):
            yield stranger(asked, place)
    if asked.notify_url is not None and (refusal := refuse_url(asked.notify_url, house.settings.allow_networks)):
        yield "/notify_url", refusal
    if asked.notify_secret is not None:
        if asked.notify_url is None:
            yield "/notify_secret", "signs what notify_url gets; write notify_url too, or leave it out"
        try:
            signing.parse_secret(asked.notify_secret)
        except ValueError as error:
            yield "/notify_secret", str(error)


def stranger(asked: NewJob, place: int) -> tuple[str, str]:
    """The pointer and sentence for the id at that place, which is no subscriber's."""
    named = (asked.subscribers or [])[place]
    return f"/subscribers/{place}", f"there is no subscriber {named}"


def target(house: House, asked: NewJob) -> Target | None:
    """Where the job's own notifications go, with the secret that came along or a new one."""
    if asked.notify_url is None:
        return None
    secret = signatures.new_secret() if asked.notify_secret is None else asked.notify_secret
    return Target(asked.notify_url, house.keys.encrypt(secret))


def document(house: House, recorded: Recorded) -> dict[str, Any]:
    """A job as the answer to its request tells it.

    Only here is the one-off subscriber told of: the job itself is read by all subscribers, and none of them is to learn
    another's URL or secret.
    """
    job, where = recorded.job, recorded.target
    shown = job.document(house.links.url)
    if job.notify_id is None:
        return shown
    notify = None
    if where is not None:
        notify = {"subscriber_id": job.notify_id, "secret": house.keys.decrypt(where.sealed_secret)}
    return shown | {"notify": notify}
