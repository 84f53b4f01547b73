"""What can be done with jobs, whoever asks: a program through the API, or a person at the dashboard."""

from dispatcher.canceler import cancel as cancel_job
from ledger import erase as erasing
from ledger import jobs
from ledger.job import Job
from ledger.jobs import Draft
from ledger.recording import Recorded, Strangers
from postback.api import requests, targets
from postback.api.bodies import NewJob
from postback.house import House


async def submit(house: House, asked: NewJob, draft: Draft) -> Recorded:
    """Records the job that a request asks for, before anything is sent. Raises `Problem` and `KeyReused`."""
    try:
        made = await house.recording.add(draft)
    except Strangers as strangers:
        raise requests.invalid(*(targets.stranger(asked, place) for _, place in strangers.places)) from None
    house.wake("submitter")
    return made


async def cancel(house: House, job_id: str) -> Job:
    """Takes a job back, at its provider where that can be. Raises `NotFound` and `Refused`."""
    rates = {name: house.settings.pace(name).query_rate for name in house.clients}
    job = await cancel_job(house.ledger, house.clients, rates, job_id)
    house.wake("forwarder")
    return job


async def resubmit(house: House, job_id: str) -> Job:
    """Asks for the same again, as a new job. Raises `NotFound` and `Refused`."""
    job = await house.ledger.write(jobs.resubmit, job_id)
    house.wake("submitter")
    return job


async def erase(house: House, job_id: str) -> None:
    """Erases a finished job with all that belongs to it. Raises `NotFound` and `Refused`."""
    await house.ledger.write(erasing.erase, job_id)
    house.wake("archiver")
