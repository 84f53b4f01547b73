"""Which jobs a subscriber wants to hear of: `{"metadata": {"tenant": "acme"}, "model": ["flux-dev", "flux-schnell"]}`.

Every line must hold. A list names alternatives. A job without the key of a metadata line does not match it.
"""

from typing import Any

from ledger.job import Job

FIELDS = ("metadata", "model", "provider")


def matches(wanted: dict[str, Any] | None, job: Job) -> bool:
    """Whether a job is wanted; no filter wants all."""
    if not wanted:
        return True
    labels = wanted.get("metadata") or {}
    return (
        all(name in job.metadata and _is_one_of(job.metadata[name], value) for name, value in labels.items())
        and ("model" not in wanted or _is_one_of(job.model, wanted["model"]))
        and ("provider" not in wanted or _is_one_of(job.provider, wanted["provider"]))
    )


def _is_one_of(value: Any, wanted: Any) -> bool:
    alternatives = wanted if isinstance(wanted, list) else [wanted]
    # To Python True is 1; to whoever wrote the filter it is not.
    return any(value == one and isinstance(value, bool) == isinstance(one, bool) for one in alternatives)
