"""Downloads an image into a draft file: guarded, bounded, digested, and judged by its own first bytes."""

import asyncio
import hashlib
import os
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urljoin

from ledger.copies import Copy
from receiver import media
from receiver.egress import Egress, EgressError, Stream

MAX_REDIRECTS = 3

_REDIRECTS = (301, 302, 303, 307, 308)
_OK = 200
_GONE = 410


class NotCopied(Exception):
    """No copy came of this try. `final`: nor can one come of another."""

    def __init__(self, reason: str, *, final: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.final = final


async def download(egress: Egress, url: str, draft: Path, limit: int) -> Copy:
    """Writes what the URL holds, at most `limit` bytes, to a new file. Raises `NotCopied`.

    Redirects are followed, each through the guard as if it had been given.
    """
    for _ in range(MAX_REDIRECTS + 1):
        try:
            async with egress.get(url) as answer:
                onward = answer.headers.get("location") if answer.status in _REDIRECTS else None
                if onward is None:
                    return await _save(answer, draft, limit)
        except EgressError as error:
            raise NotCopied(error.message, final=error.error_class == "guard") from None
        url = _joined(url, onward)
    raise NotCopied(f"it was redirected more than {MAX_REDIRECTS} times")


async def _save(answer: Stream, draft: Path, limit: int) -> Copy:
    _check(answer, limit)
    try:
        file = await asyncio.to_thread(_create, draft)
        with file:
            digest, size, head = hashlib.sha256(), 0, b""
            async for chunk in answer.chunks:
                size += len(chunk)
                if size > limit:
                    raise _too_large(limit)
                head += chunk[: media.HEAD - len(head)]
                digest.update(chunk)
                await asyncio.to_thread(file.write, chunk)
    except OSError as error:
        raise NotCopied(f"the copy could not be written: {error.strerror}") from None
    if not size:
        raise NotCopied("the answer is empty")
    media_type = media.sniff(head)
    if media_type == media.WEB_PAGE:
        raise NotCopied("the answer is a web page, not an image")
    return Copy(media_type, size, digest.hexdigest())


def _check(answer: Stream, limit: int) -> None:
    if answer.status != _OK:
        raise NotCopied(f"the answer is HTTP {answer.status}", final=answer.status == _GONE)
    if answer.headers.get("content-encoding", "identity").lower() != "identity":
        raise NotCopied("the answer is compressed, which was not asked for")
    declared = answer.headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > limit:
        raise _too_large(limit)


def _too_large(limit: int) -> NotCopied:
    return NotCopied(f"the image has more than {limit} bytes", final=True)


def _create(draft: Path) -> BinaryIO:
    draft.parent.mkdir(parents=True, exist_ok=True)
    draft.unlink(missing_ok=True)
    return os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0)


def _joined(url: str, onward: str) -> str:
    try:
        return urljoin(url, onward)
    except ValueError:
        raise NotCopied("it was redirected to what is no URL") from None
