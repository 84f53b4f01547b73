"""`postback submit --file`: many jobs, a request a line, sent in batches."""

import json
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import typer
from pydantic import ValidationError

from postback.api.bodies import MAX_BATCH, BatchedJob
from postback.cli import output, progress
from postback.cli.errors import CommandFailed, ExitCode
from postback.cli.session import connect, session_of
from postback.cli.tellings import say_secret
from providers.jsontext import BadJson, dumps, load_object

MAX_TOLD = 10
"""How many bad lines are named; the rest are counted."""

_ENVELOPE = len(b'{"jobs":[]}')


class Request(NamedTuple):
    """One line: its number in the file, from 1, and the request on it."""

    line: int
    body: dict[str, Any]


def submit_file(context: typer.Context, path: str, as_json: bool) -> None:
    """Submits every line of a file, or of stdin for `-`; nothing if one of them is no request.

    Prints the jobs' ids in the order of the lines, or with `as_json` a job a line.
    """
    requests = read(path)
    done = 0
    with connect(context) as api:
        for batch in batches(requests, session_of(context).settings().max_body):
            try:
                with _progress(done, len(requests)):
                    jobs = api.post("jobs", "batch", body={"jobs": [request.body for request in batch]})["data"]
            except CommandFailed as failure:
                raise CommandFailed(_told(failure, batch, requests[:done]), ExitCode(failure.exit_code)) from None
            done += len(batch)
            for request, job in zip(batch, jobs, strict=True):
                _print(request, job, as_json)
    output.say(f"{done} jobs are submitted. Follow them with: postback jobs list")


def read(path: str) -> list[Request]:
    """The requests of a file; empty lines are passed over. Raises `CommandFailed` that names every bad line."""
    try:
        content = sys.stdin.buffer.read() if path == "-" else Path(path).read_bytes()
    except OSError as error:
        raise CommandFailed(f"cannot read {path}: {error.strerror}", ExitCode.USAGE) from None
    requests, faults = [], []
    for number, text in enumerate(content.split(b"\n"), start=1):
        if not text.strip():
            continue
        try:
            body = load_object(text)
            BatchedJob.model_validate(body)
            requests.append(Request(number, body))
        except BadJson as error:
            faults.append(f"line {number}: {error}")
        except ValidationError as error:
            first = error.errors()[0]
            faults.append(f"line {number}: /{'/'.join(map(str, first['loc']))}: {first['msg']}")
    if faults:
        more = [f"and {len(faults) - MAX_TOLD} more"] if len(faults) > MAX_TOLD else []
        lines = "\n".join([*faults[:MAX_TOLD], *more])
        raise CommandFailed(f"nothing is submitted, because of {path}\n{lines}", ExitCode.USAGE)
    if not requests:
        raise CommandFailed(f"{path} holds no request", ExitCode.USAGE)
    return requests


def batches(requests: Sequence[Request], max_body: int) -> Iterator[list[Request]]:
    """The requests in order, as many together as one call takes; `max_body` is in bytes."""
    batch: list[Request] = []
    size = _ENVELOPE
    for request in requests:
        more = len(dumps(request.body)) + 1
        if batch and (len(batch) == MAX_BATCH or size + more > max_body):
            yield batch
            batch, size = [], _ENVELOPE
        batch.append(request)
        size += more
    yield batch


@contextmanager
def _progress(done: int, total: int) -> Iterator[None]:
    """How far it is, while a batch is on its way: a bar on a terminal, else a line."""
    if not sys.stderr.isatty():
        if done:
            output.say(f"{done} of {total} jobs are submitted.")
        yield
        return
    with progress.bars() as track:
        track("submitting")(done, total)
        yield


def _print(request: Request, job: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(job, ensure_ascii=False))
        return
    for warning in job["warnings"]:
        output.say(f"warning: line {request.line}: {warning}")
    typer.echo(job["id"])
    say_secret(request.body, job, as_json, f"line {request.line}: ")


def _told(failure: CommandFailed, batch: Sequence[Request], done: Sequence[Request]) -> str:
    """The server's complaint about a batch, with lines of the file for places in the batch."""
    message = re.sub(
        r"^( *)/jobs/(\d{1,3})(?=[/:])",
        lambda place: f"{place[1]}line {batch[int(place[2])].line}: ",
        failure.format_message(),
        flags=re.MULTILINE,
    )
    return f"{message}\nLines {done[0].line} to {done[-1].line} are submitted." if done else message
