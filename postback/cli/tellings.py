"""What a person is told of jobs that were submitted or looked at."""

from collections.abc import Mapping
from typing import Any

from postback.cli import output


def say_secret(request: Mapping[str, Any], job: Mapping[str, Any], as_json: bool, where: str = "") -> None:
    """Tells the secret that was made for a request's `notify_url`; in JSON it is there already."""
    notify = job.get("notify")
    if as_json or notify is None or request.get("notify_secret") is not None:
        return
    output.say(f"{where}What notify_url gets is signed with {notify['secret']}")
    output.say(f"{where}See it again with: postback subscribers secret {notify['subscriber_id']}")


def print_job(job: Mapping[str, Any]) -> None:
    """A job for people: its fields, then its images."""
    print_fields(job)
    print_warnings(job)


def print_fields(job: Mapping[str, Any]) -> None:
    """What a job is made of, and its images."""
    output.print_details({name: value for name, value in job.items() if name not in ("results", "warnings")})
    if job.get("results"):
        output.print_heading("Results")
        output.print_table({"#": "number", "URL": "url", "ERROR": "error"}, _numbered(job["results"]))


def print_warnings(job: Mapping[str, Any]) -> None:
    """What was unusual about a job, and what can be done about its failure: a line each."""
    for warning in job.get("warnings") or ():
        output.say(warning if warning.startswith("hint: ") else f"warning: {warning}")


def _numbered(results: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**result, "number": number, "error": _fault(result)} for number, result in enumerate(results, start=1)]


def _fault(result: Mapping[str, Any]) -> str | None:
    error = result.get("error")
    return f"{error['code']}: {error['message']}" if error else None
