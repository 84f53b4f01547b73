"""Saving a job's images as files: our own lasting copy where there is one, else what the provider still has."""

import hashlib
import os
import sys
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlsplit

from postback.cli import output, progress
from postback.cli.errors import CommandFailed
from postback.cli.progress import Advance
from receiver import media

if TYPE_CHECKING:
    import httpx2 as httpx

    from postback.cli.client import Client

_TIMEOUT_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Saved:
    """An image that is now a file. `number` is its place among the job's results, from 1."""

    number: int
    path: str
    media_type: str
    size: int
    sha256: str


def save_images(api: "Client", job: Mapping[str, Any], folder: Path) -> list[dict[str, Any]]:
    """Writes each of the job's images to `folder` as JOB-NUMBER.png or what it is, and says what was written.

    Raises `CommandFailed`, after all images were tried.
    """
    images = [(number, result) for number, result in enumerate(job["results"] or (), start=1) if result["url"]]
    if not images:
        raise CommandFailed(f"{job['id']} has no images: it is {job['status']}")
    saved, failures = [], []
    with progress.bars(of_bytes=True) as track:
        for number, result in images:
            if not sys.stderr.isatty():
                output.say(f"saving image {number}")
            try:
                saved.append(asdict(_save(api, job["id"], number, result, folder, track(f"image {number}"))))
            except CommandFailed as failure:
                failures.append(f"image {number}: {failure.format_message()}")
    if failures:
        raise CommandFailed(f"{len(failures)} of {len(images)} images could not be saved\n" + "\n".join(failures))
    return saved


def _save(api: "Client", job_id: str, number: int, result: Mapping[str, Any], folder: Path, advance: Advance) -> Saved:
    import httpx2 as httpx

    draft = folder / f".{job_id}-{number}.part"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            with _opened(api, result) as response, draft.open("wb") as file:
                head, size, digest = _copy(response, file, advance)
            artifact = result["artifact"]
            if artifact is not None and digest != artifact["sha256"]:
                raise CommandFailed("it arrived damaged; try again")
            media_type = media.sniff(head)
            path = folder / f"{job_id}-{number}{media.EXTENSIONS.get(media_type, '')}"
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise CommandFailed(f"cannot write to {folder}: {error.strerror}") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise CommandFailed(f"it could not be fetched: {error or type(error).__name__}") from None
    return Saved(number, os.fspath(path), media_type, size, digest)


def _opened(api: "Client", result: Mapping[str, Any]) -> "AbstractContextManager[httpx.Response]":
    import httpx2 as httpx

    artifact = result["artifact"]
    if artifact is None:  # the provider is not shown our key
        return httpx.stream("GET", result["url"], follow_redirects=True, timeout=_TIMEOUT_SECONDS)
    # The public address may not be one that this machine can reach; the server it speaks to has the image, too.
    path = urlsplit(artifact["url"]).path
    return api.stream(path[path.rindex("/artifacts/") :])


def _copy(response: "httpx.Response", file: BinaryIO, advance: Advance) -> tuple[bytes, int, str]:
    """The first bytes, the size and the digest of what was written."""
    if response.status_code != 200:
        raise CommandFailed(f"the answer was HTTP {response.status_code}")
    declared = response.headers.get("content-length", "")
    total = int(declared) if declared.isdecimal() else None
    head, size, digest = b"", 0, hashlib.sha256()
    for chunk in response.iter_bytes():
        head += chunk[: media.HEAD - len(head)]
        size += len(chunk)
        digest.update(chunk)
        file.write(chunk)
        advance(len(chunk), total)
    return head, size, digest.hexdigest()
