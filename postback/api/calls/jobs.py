"""The calls on jobs."""

from ledger import search
from ledger.lifecycle import JOB
from postback.api import batch, bodies, jobs, models, targets
from postback.api.call import Call, Query
from providers import PROVIDERS

CALLS: tuple[Call, ...] = (
    Call(
        "POST",
        "/v1/jobs",
        "Submit a job. With an `Idempotency-Key` header, the same request again returns the same job.",
        jobs.create,
        targets.SubmittedJob,
        202,
        bodies.NewJob,
        queries=(
            Query(
                "Idempotency-Key",
                "Any text of yours; the same key with the same body returns the same job.",
                place="header",
                longest=bodies.MAX_KEY,
            ),
        ),
        problems=(422,),
        needs="submit",
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
        needs="submit",
    ),
    Call(
        "GET",
        "/v1/jobs",
        "List jobs, newest first.",
        jobs.find,
        models.Job,
        queries=(
            Query("status", "Only jobs in this state.", tuple(JOB)),
            Query("provider", "Only jobs of this provider.", tuple(PROVIDERS)),
            Query("model", "Only jobs for this model."),
            Query("task_id", "Only the job that the provider knows by this id."),
            Query("created_after", "Only jobs made at or after this time.", kind="time"),
            Query("created_before", "Only jobs made before this time.", kind="time"),
            Query(
                "q",
                "Only jobs with all these words in their prompt or metadata (`key=value`), or the one with this id. A "
                "page looks at so many jobs at most, so it may hold few or none and still have a `next_cursor`.",
                longest=search.MAX_TEXT,
            ),
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
        needs="submit",
    ),
    Call(
        "POST",
        "/v1/jobs/{id}/resubmit",
        "Ask for the same again, as a new job that names the old. It may be billed again.",
        jobs.resubmit,
        models.Job,
        202,
        problems=(404, 409),
        needs="submit",
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
)
